-- works
CREATE TABLE t (id integer PRIMARY KEY, v text, at timestamptz DEFAULT '2024-01-01');
INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 20000) i;
CREATE INDEX ON t (v);
CREATE INDEX ON t USING hash (v);
