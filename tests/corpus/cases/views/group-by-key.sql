-- works
-- Printed as a stub and a rule behind the key.
CREATE TABLE t (id integer PRIMARY KEY, v text);
CREATE VIEW grouped AS SELECT id, v, count(*) FROM t GROUP BY id;
CREATE VIEW on_top AS SELECT g.id, upper(g.v) AS v FROM grouped g;
INSERT INTO t VALUES (1, 'x');
