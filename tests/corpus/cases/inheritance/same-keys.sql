-- works
-- Bucardo deletes without ONLY, which is corrected.
CREATE TABLE base (id integer PRIMARY KEY, v text);
CREATE TABLE special (extra text, PRIMARY KEY (id)) INHERITS (base);
INSERT INTO base VALUES (1, 'in base');
INSERT INTO special VALUES (1, 'in special', 'x');
