-- works
CREATE TABLE t (id integer PRIMARY KEY, v text);
COMMENT ON TABLE t IS 'it''s "quoted" \ and
two lines';
COMMENT ON COLUMN t.v IS E'\u00e9\t';
COMMENT ON CONSTRAINT t_pkey ON t IS 'key';
COMMENT ON INDEX t_pkey IS 'index';
INSERT INTO t VALUES (1, 'v');
