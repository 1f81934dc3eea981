-- works
-- The OID is another one there.
CREATE TABLE own (id integer PRIMARY KEY, CONSTRAINT mine CHECK (tableoid IS NOT NULL));
INSERT INTO own VALUES (1);
