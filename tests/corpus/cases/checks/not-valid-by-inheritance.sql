-- warning: inheritance-keys
CREATE TABLE base (id integer PRIMARY KEY, v text);
CREATE TABLE special (PRIMARY KEY (id)) INHERITS (base);
INSERT INTO base VALUES (1, NULL);
INSERT INTO special VALUES (2, NULL);
ALTER TABLE base ADD CONSTRAINT v_there CHECK (v IS NOT NULL) NOT VALID;
