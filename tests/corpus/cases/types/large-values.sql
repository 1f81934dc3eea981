-- works
-- Out of line, compressed or not.
CREATE TABLE t (id integer PRIMARY KEY, v text, w text, x bytea);
ALTER TABLE t ALTER v SET STORAGE EXTERNAL, ALTER w SET STORAGE MAIN;
INSERT INTO t SELECT 1, repeat('x', 3000000), (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 500) i),
       decode(repeat('00ff', 50000), 'hex');
