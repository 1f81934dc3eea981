-- works
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE t (id integer PRIMARY KEY, m mood CHECK (m IN ('sad', 'ok')));
CREATE INDEX ON t (id) WHERE m = ANY ('{sad}');
INSERT INTO t VALUES (1, 'ok');
