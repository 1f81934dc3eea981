-- warning: check-calls
-- Printed as functions before 14, as syntax since.
CREATE TABLE t (id integer PRIMARY KEY, at timestamptz, s text, CHECK (EXTRACT(year FROM at) > 2000), CHECK (POSITION('a' IN s) = 1));
CREATE VIEW v AS SELECT EXTRACT(epoch FROM at) AS e, SUBSTRING(s FROM 1 FOR 2) AS a, TRIM(BOTH 'x' FROM s) AS b, OVERLAY(s PLACING 'y' FROM 1) AS c,
    at AT TIME ZONE 'UTC' AS z, (at, interval '1 day') OVERLAPS (at, at) AS o, s IS NFC NORMALIZED AS n, NORMALIZE(s, NFKD) AS k FROM t;
INSERT INTO t VALUES (1, '2024-01-01', 'a');
