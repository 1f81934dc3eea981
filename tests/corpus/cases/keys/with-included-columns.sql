-- works
CREATE TABLE t (id integer, v integer, PRIMARY KEY (id) INCLUDE (v));
INSERT INTO t VALUES (1, 2);
