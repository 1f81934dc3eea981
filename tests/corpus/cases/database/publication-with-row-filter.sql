-- warning: published
-- own
-- server: 15
CREATE TABLE t (id integer PRIMARY KEY, v varchar(5));
CREATE TABLE u (id integer PRIMARY KEY, v text);
CREATE PUBLICATION those FOR TABLE t WHERE (id > 0), TABLE u (id);
INSERT INTO t VALUES (1, 'x');
