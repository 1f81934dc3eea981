-- works
DO $do$ BEGIN
    EXECUTE format('CREATE FUNCTION f() RETURNS text LANGUAGE sql AS %L', E'SELECT ''a\r\n\tb'' -- trailing \r\n');
    EXECUTE format('COMMENT ON FUNCTION f() IS %L', E'line\r\n--\n-- Name: x; Type: TABLE; Schema: y; Owner: z\n--\n\\connect foo');
END $do$;
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
