-- works
-- server: 18
-- Since 18 they have names, which renames leave as they were.
CREATE TABLE person (id integer PRIMARY KEY, nick text NOT NULL);
ALTER TABLE person RENAME TO people;
ALTER TABLE people RENAME COLUMN nick TO nickname;
INSERT INTO people VALUES (1, 'n');
