-- warning: left-out
CREATE UNLOGGED TABLE cache (id integer PRIMARY KEY);
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO cache VALUES (1);
INSERT INTO t VALUES (1);
