-- works
-- server: 14
CREATE TABLE doc (id integer PRIMARY KEY, j jsonb CHECK (j['a'] IS NOT NULL));
INSERT INTO doc VALUES (1, '{"a": 1}');
