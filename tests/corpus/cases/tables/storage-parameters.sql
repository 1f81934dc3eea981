-- works
CREATE TABLE t (id integer PRIMARY KEY, v text) WITH (fillfactor = 50, autovacuum_enabled = off, toast.autovacuum_enabled = off,
    autovacuum_vacuum_scale_factor = 0.1, parallel_workers = 0);
INSERT INTO t VALUES (1, 'x');
