-- works
CREATE DOMAIN code AS text COLLATE "C" DEFAULT 'a' CHECK (VALUE > 'A');
CREATE TABLE t (id integer PRIMARY KEY, v code);
INSERT INTO t VALUES (1, 'b');
