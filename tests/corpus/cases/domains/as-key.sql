-- works
CREATE DOMAIN ident AS integer CHECK (VALUE > 0);
CREATE TABLE t (id ident PRIMARY KEY, v text);
INSERT INTO t VALUES (1, 'x');
