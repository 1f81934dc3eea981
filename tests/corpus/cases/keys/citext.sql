-- blocker: key-type
-- own
CREATE EXTENSION citext;
CREATE TABLE t (name citext PRIMARY KEY);
INSERT INTO t VALUES ('Bob');
