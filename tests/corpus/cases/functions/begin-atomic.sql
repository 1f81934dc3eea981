-- works
-- server: 14
CREATE TABLE t (id integer PRIMARY KEY, s varchar(9));
CREATE FUNCTION is_open(s varchar) RETURNS boolean LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT s IN ('open', 'new'); END;
CREATE FUNCTION plus(a integer, b integer DEFAULT 1) RETURNS integer LANGUAGE sql RETURN a + b;
CREATE PROCEDURE put(a integer, OUT o integer) LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES (a, 'x') RETURNING id; END;
CREATE INDEX ON t (is_open(s));
INSERT INTO t VALUES (1, 'open');
