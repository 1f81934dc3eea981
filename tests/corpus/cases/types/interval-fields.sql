-- works
CREATE TABLE t (id integer PRIMARY KEY, a interval year to month, b interval day to second(2), c timestamp(0));
INSERT INTO t VALUES (1, '1-2', '3 4:05:06.789', '2024-01-01 00:00:00.9');
