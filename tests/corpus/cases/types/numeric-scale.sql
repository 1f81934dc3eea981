-- works
-- server: 15
CREATE TABLE t (id integer PRIMARY KEY, a numeric(3,-2), b numeric(3,5));
INSERT INTO t VALUES (1, 12345, 0.00123);
