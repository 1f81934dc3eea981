-- warning: published
-- own
CREATE TABLE t (id integer PRIMARY KEY, v text);
CREATE PUBLICATION those FOR TABLE t WITH (publish = 'insert, update');
INSERT INTO t VALUES (1, 'x');
