-- works
-- Two views that need each other through a function.
CREATE TABLE t (id integer PRIMARY KEY, parent integer);
CREATE RECURSIVE VIEW up (id, parent, depth) AS
    SELECT id, parent, 0 FROM t WHERE parent IS NULL UNION ALL SELECT t.id, t.parent, depth + 1 FROM t JOIN up ON t.parent = up.id;
INSERT INTO t VALUES (1, NULL), (2, 1);
