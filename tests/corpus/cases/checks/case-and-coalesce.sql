-- works
CREATE TABLE choice (id integer PRIMARY KEY, kind varchar(9), n integer,
    CHECK (CASE kind WHEN 'a' THEN n > 0 WHEN 'b' THEN n < 0 ELSE n IS NULL END),
    CHECK (coalesce(nullif(kind, ''), 'none') <> 'none'),
    CHECK (greatest(n, 0) >= least(n, 0)));
INSERT INTO choice VALUES (1, 'a', 1), (2, 'b', -1), (3, 'c', NULL);
