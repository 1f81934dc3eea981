-- works
CREATE TABLE base (id integer PRIMARY KEY, v integer, CONSTRAINT positive CHECK (v > 0) NO INHERIT);
CREATE TABLE special (PRIMARY KEY (id)) INHERITS (base);
INSERT INTO base VALUES (1, 1);
INSERT INTO special VALUES (2, -1);
