-- blocker: sequence-unshareable
CREATE SEQUENCE down INCREMENT BY -1;
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
