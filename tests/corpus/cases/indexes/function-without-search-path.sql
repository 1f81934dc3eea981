-- blocker: index-expression
-- own
-- pg_dump empties search_path; the function is inlined and finds nothing then.
CREATE EXTENSION unaccent;
CREATE FUNCTION f_unaccent(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT unaccent('unaccent', $1) $$;
CREATE TABLE person (id integer PRIMARY KEY, name text);
CREATE INDEX person_name ON person (f_unaccent(name));
INSERT INTO person VALUES (1, 'é');
