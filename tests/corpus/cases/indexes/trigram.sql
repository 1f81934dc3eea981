-- works
-- own
CREATE SCHEMA ext;
CREATE EXTENSION pg_trgm SCHEMA ext;
CREATE TABLE t (id integer PRIMARY KEY, name text);
CREATE INDEX ON t USING gin (name ext.gin_trgm_ops);
CREATE INDEX ON t USING gist (name ext.gist_trgm_ops (siglen = 32));
INSERT INTO t VALUES (1, 'abc');
