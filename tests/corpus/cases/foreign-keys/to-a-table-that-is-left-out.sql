-- warning: foreign-key-outside
-- exclude: public.p
CREATE TABLE p (id integer PRIMARY KEY);
CREATE TABLE c (id integer PRIMARY KEY, p integer REFERENCES p);
INSERT INTO p VALUES (1);
INSERT INTO c VALUES (1, 1);
