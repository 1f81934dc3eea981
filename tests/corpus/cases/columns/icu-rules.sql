-- works
-- server: 16
CREATE COLLATION custom (provider = icu, locale = 'und', rules = '&V << w <<< W');
CREATE TABLE t (id integer PRIMARY KEY, a text COLLATE custom);
INSERT INTO t VALUES (1, 'w');
