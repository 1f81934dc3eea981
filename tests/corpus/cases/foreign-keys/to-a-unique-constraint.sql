-- warning: secondary-unique
CREATE TABLE p (id integer PRIMARY KEY, code text UNIQUE);
CREATE TABLE c (id integer PRIMARY KEY, code text REFERENCES p (code));
INSERT INTO p VALUES (1, 'a');
INSERT INTO c VALUES (1, 'a');
