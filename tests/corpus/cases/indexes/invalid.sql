-- works
-- What a failed CREATE INDEX CONCURRENTLY leaves; pg_dump leaves it out.
CREATE TABLE t (id integer PRIMARY KEY, a integer);
INSERT INTO t VALUES (1, 1), (2, 1);
CREATE INDEX t_invalid ON t (a);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_invalid'::regclass;
