-- blocker: key-type
CREATE TABLE t (f double precision PRIMARY KEY, v integer);
INSERT INTO t VALUES (0.1 + 0.2::float8, 1);
