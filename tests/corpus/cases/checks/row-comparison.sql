-- works
CREATE TABLE span (id integer PRIMARY KEY, y integer, m integer, y2 integer, m2 integer,
                   CHECK ((y, m) <= (y2, m2)), CHECK (ROW(y, m) IS DISTINCT FROM ROW(0, 0)));
INSERT INTO span VALUES (1, 2020, 5, 2021, 1);
