-- works
CREATE TABLE t (id integer PRIMARY KEY, a integer[3], b text[], c integer[]);
INSERT INTO t VALUES (1, '[5:6]={1,2}', '{}', '{NULL}');
