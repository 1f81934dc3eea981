-- works
-- own
CREATE EXTENSION pg_buffercache;
CREATE EXTENSION tablefunc;
CREATE VIEW b AS SELECT count(*) FROM pg_buffercache;
CREATE VIEW c AS SELECT * FROM crosstab('SELECT 1, 2, 3') AS ct (a integer, b integer);
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
