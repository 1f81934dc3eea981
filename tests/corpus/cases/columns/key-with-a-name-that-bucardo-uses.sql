-- blocker: key-column-name
CREATE TABLE t (txntime timestamptz PRIMARY KEY);
INSERT INTO t VALUES ('2024-01-01');
