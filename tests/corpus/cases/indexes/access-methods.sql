-- works
CREATE TABLE t (id integer PRIMARY KEY, v text, a integer[], p point, r int4range, j jsonb, ip inet, at timestamptz);
CREATE INDEX ON t USING hash (v);
CREATE INDEX ON t USING brin (at) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX ON t USING gin (a) WITH (fastupdate = off);
CREATE INDEX ON t USING gin (j jsonb_path_ops);
CREATE INDEX ON t USING gist (p) WITH (buffering = on);
CREATE INDEX ON t USING gist (r, ip inet_ops);
CREATE INDEX ON t USING spgist (v);
CREATE INDEX ON t USING btree (v DESC NULLS LAST, id) INCLUDE (at) WITH (fillfactor = 70, deduplicate_items = off);
CREATE INDEX lower_v ON t (lower(v));
ALTER INDEX lower_v ALTER COLUMN 1 SET STATISTICS 500;
INSERT INTO t VALUES (1, 'v', '{1,2}', '(1,2)', '[1,5)', '{"a": 1}', '10.0.0.1', '2024-01-01');
