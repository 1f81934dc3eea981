-- works
-- Orphans that are there stay.
CREATE TABLE p (id integer PRIMARY KEY);
CREATE TABLE c (id integer PRIMARY KEY, p integer);
INSERT INTO c VALUES (1, 99);
ALTER TABLE c ADD CONSTRAINT to_p FOREIGN KEY (p) REFERENCES p NOT VALID;
