-- works
CREATE TABLE base (id integer PRIMARY KEY, v text);
CREATE TABLE special (extra text, PRIMARY KEY (id)) INHERITS (base);
INSERT INTO base VALUES (1, 'b');
INSERT INTO special VALUES (2, 's', 'x');
