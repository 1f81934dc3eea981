-- works
CREATE TABLE t (id integer PRIMARY KEY, name text, j jsonb, at timestamptz, tags text[]);
CREATE INDEX ON t (lower(name), (j ->> 'a') DESC NULLS LAST);
CREATE INDEX ON t ((at AT TIME ZONE 'UTC'));
CREATE INDEX ON t USING gin (tags, j) WITH (fastupdate = off);
CREATE INDEX ON t USING hash (name);
CREATE INDEX ON t USING brin (at) WITH (pages_per_range = 8, autosummarize = on);
CREATE INDEX ON t USING spgist (name) WITH (fillfactor = 70);
INSERT INTO t VALUES (1, 'N', '{"a": 1}', now(), '{x}');
