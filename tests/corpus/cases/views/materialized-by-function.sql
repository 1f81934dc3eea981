-- works
-- Needs a search_path to be refreshed.
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1), (2);
CREATE FUNCTION how_many() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM t';
DO $$ BEGIN EXECUTE format('ALTER FUNCTION how_many() SET search_path = %I', current_schema()); END $$;
CREATE MATERIALIZED VIEW m AS SELECT how_many();
