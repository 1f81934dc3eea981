-- works
CREATE TABLE t (id integer PRIMARY KEY, n integer CHECK (n > 0) CHECK (n < 10) CHECK (n <> 5));
ALTER TABLE t ADD CHECK (n > 0), ADD CONSTRAINT "Odd name; with ""quotes""" CHECK (n > -1);
INSERT INTO t VALUES (1, 1);
