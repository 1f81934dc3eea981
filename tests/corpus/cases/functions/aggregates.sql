-- works
CREATE FUNCTION add(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1 + $2';
CREATE AGGREGATE total(integer) (SFUNC = add, STYPE = integer, INITCOND = '0', COMBINEFUNC = add, PARALLEL = safe, SORTOP = >);
CREATE AGGREGATE middle(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE TABLE t (id integer PRIMARY KEY);
CREATE VIEW v AS SELECT total(id) FROM t;
INSERT INTO t VALUES (1);
