-- works
-- No part of a key.
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE t (id integer PRIMARY KEY, name text COLLATE nocase);
CREATE INDEX ON t (name);
INSERT INTO t VALUES (1, 'Bob'), (2, 'bob');
