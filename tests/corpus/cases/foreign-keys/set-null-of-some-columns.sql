-- works
-- server: 15
CREATE TABLE p (a integer, b integer, PRIMARY KEY (a, b));
CREATE TABLE c (id integer PRIMARY KEY, a integer, b integer, FOREIGN KEY (a, b) REFERENCES p ON DELETE SET NULL (b));
INSERT INTO p VALUES (1, 1);
INSERT INTO c VALUES (1, 1, 1);
