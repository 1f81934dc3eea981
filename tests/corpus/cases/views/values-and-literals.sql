-- works
CREATE TABLE t (id integer PRIMARY KEY);
CREATE VIEW v AS SELECT * FROM (VALUES (1, 'a'::varchar(3), NULL::integer, '1 day'::interval, B'1', -1, -1.5, 'it''s', E'\\'), (2, 'b', 3, '2', B'0', 0, 0, '', '')) x (a, b, c, d, e, f, g, h, i);
CREATE VIEW w AS SELECT 'unknown' AS u, NULL AS n, ARRAY[]::text[] AS arr, ROW(1, 'a')::text AS r, CURRENT_DATE AS d;
INSERT INTO t VALUES (1);
