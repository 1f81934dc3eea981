-- works
-- server: 14
CREATE TABLE t (id integer PRIMARY KEY, n numeric);
INSERT INTO t VALUES (1, 'Infinity'), (2, '-Infinity');
