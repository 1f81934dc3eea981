-- works
CREATE TABLE flag (id integer PRIMARY KEY, code char(1) CHECK (code NOT IN ('x', 'y')));
INSERT INTO flag VALUES (1, 'a'), (2, NULL);
