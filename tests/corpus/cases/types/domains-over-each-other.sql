-- works
CREATE DOMAIN small AS integer CHECK (VALUE < 100);
CREATE DOMAIN smaller AS small DEFAULT 3 CHECK (VALUE < 10);
CREATE TYPE pair AS (a smaller, b text);
CREATE DOMAIN good_pair AS pair CHECK ((VALUE).a > 0);
CREATE DOMAIN pairs AS good_pair[] CHECK (array_length(VALUE, 1) < 4);
CREATE TABLE t (id smaller PRIMARY KEY, p good_pair, ps pairs);
INSERT INTO t VALUES (1, (1, 'x'), ARRAY[(2, 'y')::good_pair]);
