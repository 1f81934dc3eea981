-- works
CREATE DOMAIN inner_one AS integer;
CREATE DOMAIN outer_one AS inner_one CHECK (VALUE < 100);
CREATE TABLE t (id integer PRIMARY KEY, v outer_one);
INSERT INTO t VALUES (1, -5);
ALTER DOMAIN inner_one ADD CONSTRAINT positive CHECK (VALUE > 0) NOT VALID;
