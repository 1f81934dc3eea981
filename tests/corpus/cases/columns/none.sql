-- blocker: no-key
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
