-- warning: sequence-headroom
CREATE TABLE t (id serial PRIMARY KEY);
SELECT setval('t_id_seq', 2147000000);
INSERT INTO t DEFAULT VALUES;
