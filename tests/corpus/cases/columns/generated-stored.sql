-- works
CREATE TABLE doc (id integer PRIMARY KEY, body text, ts tsvector GENERATED ALWAYS AS (to_tsvector('simple', body)) STORED);
INSERT INTO doc VALUES (1, 'a b');
