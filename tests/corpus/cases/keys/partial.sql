-- blocker: no-key
CREATE TABLE t (id integer NOT NULL, gone boolean);
CREATE UNIQUE INDEX ON t (id) WHERE NOT gone;
INSERT INTO t VALUES (1, true), (1, true);
