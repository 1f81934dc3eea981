-- works
-- server: 18
CREATE TABLE loose (id integer PRIMARY KEY, n integer CONSTRAINT positive CHECK (n > 0) NOT ENFORCED);
INSERT INTO loose VALUES (1, -1);
