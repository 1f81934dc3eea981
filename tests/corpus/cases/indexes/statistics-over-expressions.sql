-- works
-- server: 14
CREATE TABLE t (id integer PRIMARY KEY, a integer, s varchar(9));
CREATE STATISTICS of_expressions ON (a + 1), (s IN ('x', 'y')) FROM t;
INSERT INTO t VALUES (1, 1, 'x');
