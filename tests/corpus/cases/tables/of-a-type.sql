-- works
CREATE TYPE person AS (id integer, name text);
CREATE TABLE people OF person (PRIMARY KEY (id), name WITH OPTIONS DEFAULT 'x' NOT NULL);
INSERT INTO people VALUES (1, 'a');
