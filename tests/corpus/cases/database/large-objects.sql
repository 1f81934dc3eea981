-- warning: large-objects
-- own
SELECT lo_from_bytea(0, '\x0102');
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
