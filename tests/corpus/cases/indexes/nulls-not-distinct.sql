-- warning: secondary-unique
-- server: 15
CREATE TABLE t (id integer PRIMARY KEY, a integer, UNIQUE NULLS NOT DISTINCT (a));
CREATE UNIQUE INDEX ON t ((a + 1)) NULLS NOT DISTINCT;
INSERT INTO t VALUES (1, NULL), (2, 2);
