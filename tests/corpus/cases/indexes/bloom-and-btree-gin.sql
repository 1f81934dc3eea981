-- works
-- own
CREATE EXTENSION bloom;
CREATE EXTENSION btree_gin;
CREATE TABLE t (id integer PRIMARY KEY, a integer, b integer);
CREATE INDEX ON t USING bloom (a, b) WITH (length = 80, col1 = 2);
CREATE INDEX ON t USING gin (a);
INSERT INTO t VALUES (1, 2, 3);
