-- works
CREATE DOMAIN tags AS text[] CHECK (cardinality(VALUE) < 5);
CREATE DOMAIN future AS daterange CHECK (NOT isempty(VALUE));
CREATE DOMAIN point2 AS point;
CREATE TABLE t (id integer PRIMARY KEY, a tags, r future, p point2);
INSERT INTO t VALUES (1, '{a,b}', '[2020-01-01,2021-01-01)', '(1,2)');
