-- works
-- own
CREATE EXTENSION citext;
CREATE EXTENSION ltree;
CREATE EXTENSION cube;
CREATE EXTENSION seg;
CREATE EXTENSION isn;
CREATE EXTENSION intarray;
CREATE TABLE t (id integer PRIMARY KEY, a citext, b ltree, c cube, d seg, e isbn, f integer[], g lquery);
CREATE INDEX ON t USING gist (f gist__int_ops);
INSERT INTO t VALUES (1, 'Ä', 'a.b', '(1,2),(3,4)', '1 .. 2', '978-0-393-04002-9', '{3,1}', '*.b');
