-- blocker: key-type
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE account (name text COLLATE nocase PRIMARY KEY, v integer);
INSERT INTO account VALUES ('bob', 1);
