-- works
-- Parameters of operator classes.
CREATE TABLE t (id integer PRIMARY KEY, v tsvector);
CREATE INDEX ON t USING gist (v tsvector_ops (siglen = 100));
INSERT INTO t VALUES (1, 'a b');
