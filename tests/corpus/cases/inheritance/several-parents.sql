-- works
CREATE TABLE a (id integer PRIMARY KEY, v text DEFAULT 'a', CHECK (id > 0));
CREATE TABLE b (w text NOT NULL, v text);
ALTER TABLE b ADD COLUMN id integer PRIMARY KEY;
CREATE TABLE c (PRIMARY KEY (id)) INHERITS (a, b);
INSERT INTO c VALUES (1, 'v', 'w');
