-- works
CREATE FUNCTION float_diff(a float8, b float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT a - b';
CREATE TYPE float_range AS RANGE (subtype = float8, subtype_diff = float_diff);
CREATE TABLE t (id integer PRIMARY KEY, r float_range);
CREATE INDEX ON t USING gist (r);
INSERT INTO t VALUES (1, '[0.1,0.30000000000000004)');
