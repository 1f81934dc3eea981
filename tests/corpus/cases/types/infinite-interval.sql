-- works
-- server: 17
CREATE TABLE t (id integer PRIMARY KEY, i interval);
INSERT INTO t VALUES (1, 'infinity'), (2, '-infinity');
