-- works
CREATE TABLE doc (id integer PRIMARY KEY, x xml CHECK (x IS DOCUMENT AND xpath_exists('/a', x)));
INSERT INTO doc VALUES (1, '<a>1</a>');
