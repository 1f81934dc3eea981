-- works
-- server: 14
CREATE AGGREGATE array_accum(anycompatible) (SFUNC = array_append, STYPE = anycompatiblearray, INITCOND = '{}');
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
