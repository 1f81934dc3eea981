-- works
-- server: 14
CREATE TABLE t (id integer PRIMARY KEY, parent integer);
CREATE VIEW tree AS WITH RECURSIVE w AS (
    SELECT id, parent FROM t WHERE parent IS NULL UNION ALL SELECT t.id, t.parent FROM t JOIN w ON t.parent = w.id)
    SEARCH DEPTH FIRST BY id SET ordering CYCLE id SET is_cycle USING path SELECT id, is_cycle FROM w;
INSERT INTO t VALUES (1, NULL), (2, 1);
