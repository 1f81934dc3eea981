-- works
-- server: 14
CREATE TYPE span AS RANGE (subtype = integer, multirange_type_name = spans);
CREATE TABLE t (id integer PRIMARY KEY, m nummultirange, s spans);
INSERT INTO t VALUES (1, '{[1,2),(3,]}', '{[1,2),[4,5)}');
