-- works
CREATE TABLE t (id integer PRIMARY KEY);
CREATE VIEW sizes AS SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relkind IN ('r', 'm');
CREATE VIEW locks AS SELECT * FROM pg_locks;
INSERT INTO t VALUES (1);
