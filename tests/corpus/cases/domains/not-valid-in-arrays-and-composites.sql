-- works
CREATE DOMAIN email AS text;
CREATE DOMAIN addresses AS email[];
CREATE TYPE contact AS (name text, mail email);
CREATE TABLE t (id integer PRIMARY KEY, c contact, a email[], d addresses);
INSERT INTO t VALUES (1, ('x', 'nonsense'), '{nonsense}', '{nonsense}');
ALTER DOMAIN email ADD CONSTRAINT has_at CHECK (VALUE LIKE '%@%') NOT VALID;
