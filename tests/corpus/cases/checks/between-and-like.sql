-- works
CREATE TABLE text_of (id integer PRIMARY KEY, v text CHECK (v LIKE 'a%' AND v NOT ILIKE '%Z' AND v SIMILAR TO 'a.*|a'),
                      n integer CHECK (n BETWEEN 1 AND 5 AND n NOT BETWEEN SYMMETRIC 9 AND 7));
INSERT INTO text_of VALUES (1, 'a.', 2);
