-- warning: large-object-column
CREATE TABLE t (id integer PRIMARY KEY, picture oid);
INSERT INTO t VALUES (1, NULL);
