-- works
CREATE TYPE level AS ENUM ('a', 'b');
CREATE FUNCTION level_of(integer) RETURNS level LANGUAGE sql IMMUTABLE AS $$ SELECT CASE $1 WHEN 1 THEN 'a' ELSE 'b' END::level $$;
DO $$ BEGIN EXECUTE format('ALTER FUNCTION level_of(integer) SET search_path = %I', current_schema()); END $$;
CREATE CAST (integer AS level) WITH FUNCTION level_of(integer) AS ASSIGNMENT;
CREATE TABLE t (id integer PRIMARY KEY, l level DEFAULT 2::level);
INSERT INTO t VALUES (1, 1);
