-- blocker: nullable-key
CREATE TABLE t (id integer UNIQUE, v text);
INSERT INTO t VALUES (NULL, 'a'), (NULL, 'b');
