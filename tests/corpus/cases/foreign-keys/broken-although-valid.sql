-- works
-- Rows that were written with triggers off.
CREATE TABLE p (id integer PRIMARY KEY);
CREATE TABLE c (id integer PRIMARY KEY, p integer REFERENCES p);
SET session_replication_role = replica;
INSERT INTO c VALUES (1, 99);
