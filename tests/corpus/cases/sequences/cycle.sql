-- blocker: sequence-unshareable
CREATE SEQUENCE round_and_round MAXVALUE 5 CYCLE;
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
