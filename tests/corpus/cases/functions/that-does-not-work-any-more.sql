-- works
-- Its table was renamed since.
CREATE TABLE t (id integer PRIMARY KEY);
CREATE FUNCTION f() RETURNS SETOF t LANGUAGE sql AS 'SELECT * FROM t';
ALTER TABLE t RENAME TO u;
INSERT INTO u VALUES (1);
