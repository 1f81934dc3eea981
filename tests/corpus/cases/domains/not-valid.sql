-- works
-- Old values may break it.
CREATE DOMAIN email AS text;
CREATE TABLE t (id integer PRIMARY KEY, e email);
INSERT INTO t VALUES (1, 'nonsense'), (2, 'a@b');
ALTER DOMAIN email ADD CONSTRAINT has_at CHECK (VALUE LIKE '%@%') NOT VALID;
