-- works
-- Comments of pg_dump split a script into objects.
CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $_$
BEGIN
--
-- Name: t; Type: TABLE; Schema: public; Owner: postgres
--
    RETURN '';
--
-- PostgreSQL database dump complete
--
END $_$;
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
