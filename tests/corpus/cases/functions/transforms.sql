-- works
-- own
CREATE EXTENSION hstore;
CREATE EXTENSION plperl;
CREATE EXTENSION hstore_plperl;
CREATE FUNCTION h(hstore) RETURNS text LANGUAGE plperl TRANSFORM FOR TYPE hstore AS $$ return "x"; $$;
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
