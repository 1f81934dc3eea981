-- works
-- exclude: public.log
CREATE TABLE log (at timestamptz, line text);
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
