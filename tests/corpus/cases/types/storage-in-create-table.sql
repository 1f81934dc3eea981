-- works
-- server: 16
CREATE TABLE t (id integer PRIMARY KEY, v text STORAGE EXTERNAL, w bytea STORAGE PLAIN);
INSERT INTO t VALUES (1, 'a', 'b');
