-- works
-- server: 18
CREATE TABLE p (id integer PRIMARY KEY);
CREATE TABLE c (id integer PRIMARY KEY, p integer REFERENCES p NOT ENFORCED);
INSERT INTO c VALUES (1, 99);
