-- works
-- own
-- The target's server offers a newer one.
CREATE EXTENSION pg_trgm VERSION '1.3';
CREATE EXTENSION pg_stat_statements VERSION '1.8';
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
