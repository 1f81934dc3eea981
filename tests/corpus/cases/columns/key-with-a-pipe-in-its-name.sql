-- blocker: key-column-name
CREATE TABLE t ("a|b" integer PRIMARY KEY);
INSERT INTO t VALUES (1);
