-- works
-- server: 17
CREATE TABLE t (id integer PRIMARY KEY, j jsonb);
CREATE VIEW v AS SELECT x.*, JSON_VALUE(j, '$.a' RETURNING integer DEFAULT 0 ON EMPTY) AS a, JSON_EXISTS(j, '$.b'), JSON_QUERY(j, '$.c' WITH WRAPPER)
    FROM t, JSON_TABLE(j, '$.items[*]' COLUMNS (n FOR ORDINALITY, name text PATH '$.name', NESTED PATH '$.tags[*]' COLUMNS (tag text PATH '$'))) x;
INSERT INTO t VALUES (1, '{"a": 1}');
