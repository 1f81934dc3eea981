-- works
CREATE FUNCTION f(a integer, VARIADIC b text[] DEFAULT '{}', OUT c integer, OUT d text) RETURNS SETOF record LANGUAGE sql
    STABLE STRICT LEAKPROOF PARALLEL SAFE COST 7 ROWS 3 AS $$ SELECT 1, 'x' $$;
CREATE FUNCTION g() RETURNS TABLE (x integer, y text) LANGUAGE plpgsql AS $f$ BEGIN RETURN QUERY SELECT 1, $q$a$q$::text; END $f$;
CREATE FUNCTION poly(anyelement, anyarray) RETURNS anyarray LANGUAGE sql IMMUTABLE AS 'SELECT $2 || $1';
CREATE FUNCTION "Odd Name"("A b" integer) RETURNS integer LANGUAGE sql SECURITY DEFINER SET work_mem = '1MB' SET search_path = pg_catalog, pg_temp AS 'SELECT $1';
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
