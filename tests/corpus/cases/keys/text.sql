-- works
CREATE TABLE t (name text PRIMARY KEY, v integer);
INSERT INTO t VALUES ('a', 1), ('', 2), ('É', 3), (E'a\tb', 4);
