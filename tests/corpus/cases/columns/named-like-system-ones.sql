-- works
CREATE TABLE t (id integer PRIMARY KEY, rowid integer, txntime timestamptz, "oid" integer, tgname text, "rows" text, hash text, job integer);
INSERT INTO t VALUES (1, 2, now(), 3, 'a', 'b', 'c', 4);
