-- works
CREATE COLLATION german (provider = icu, locale = 'de-u-co-phonebk');
CREATE COLLATION c_copy FROM "C";
CREATE TABLE t (id integer PRIMARY KEY, a text COLLATE german, b text COLLATE c_copy, c text COLLATE "en-x-icu");
CREATE INDEX ON t (a, b COLLATE "POSIX");
INSERT INTO t VALUES (1, 'ä', 'b', 'c');
