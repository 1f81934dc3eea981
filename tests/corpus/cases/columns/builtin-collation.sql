-- works
-- server: 17
CREATE COLLATION by_code (provider = builtin, locale = 'C.UTF-8');
CREATE TABLE t (id integer PRIMARY KEY, a text COLLATE by_code, b text COLLATE pg_c_utf8);
INSERT INTO t VALUES (1, 'w', 'ä');
