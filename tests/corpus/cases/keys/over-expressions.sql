-- blocker: no-key
CREATE TABLE t (name text NOT NULL);
CREATE UNIQUE INDEX ON t (lower(name));
INSERT INTO t VALUES ('a');
