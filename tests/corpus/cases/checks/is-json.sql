-- works
-- server: 16
-- IS JSON is newer than 15.
CREATE TABLE doc (id integer PRIMARY KEY, v text CHECK (v IS JSON OBJECT WITH UNIQUE KEYS));
INSERT INTO doc VALUES (1, '{"a": 1}');
