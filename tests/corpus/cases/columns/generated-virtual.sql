-- works
-- server: 18
CREATE TABLE doc (id integer PRIMARY KEY, a integer, twice integer GENERATED ALWAYS AS (a * 2) VIRTUAL);
INSERT INTO doc VALUES (1, 2);
