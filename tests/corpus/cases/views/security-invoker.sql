-- works
-- server: 15
CREATE TABLE t (id integer PRIMARY KEY);
CREATE VIEW v WITH (security_invoker = on) AS SELECT * FROM t;
INSERT INTO t VALUES (1);
