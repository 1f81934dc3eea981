-- works
CREATE TABLE t (id integer NOT NULL, v text);
CREATE UNIQUE INDEX ON t (id);
INSERT INTO t VALUES (1, 'x');
