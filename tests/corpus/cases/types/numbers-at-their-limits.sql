-- works
CREATE TABLE t (id integer PRIMARY KEY, n numeric, f float8, g float4);
INSERT INTO t VALUES (1, 1e400, 'NaN', 1e-45), (2, -0.00, '-0', '3.4028235e38'), (3, 1.000, 0.1 + 0.2::float8, 1/3.0);
