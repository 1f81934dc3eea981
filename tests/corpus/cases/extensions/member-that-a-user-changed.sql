-- works
-- own
-- roles: corpus_reader
-- Privileges on members are dumped, other changes are not.
CREATE EXTENSION pg_trgm;
REVOKE EXECUTE ON FUNCTION similarity(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION similarity(text, text) TO corpus_reader;
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
