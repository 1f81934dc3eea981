-- works
-- own
CREATE EXTENSION plperl;
CREATE FUNCTION p(text) RETURNS text LANGUAGE plperl IMMUTABLE AS $$ return lc($_[0]); $$;
CREATE TABLE t (id integer PRIMARY KEY, v text);
CREATE INDEX ON t (p(v));
INSERT INTO t VALUES (1, 'A');
