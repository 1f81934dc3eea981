-- works
-- server: 14
CREATE TABLE t (id integer PRIMARY KEY, v text COMPRESSION pglz);
INSERT INTO t VALUES (1, repeat('a', 10000));
