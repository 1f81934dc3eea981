-- blocker: publication-for-all
-- own
CREATE TABLE t (id integer PRIMARY KEY);
CREATE PUBLICATION everything FOR ALL TABLES;
INSERT INTO t VALUES (1);
