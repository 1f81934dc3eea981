-- works
-- What OIDs looked like once says nothing about their order now.
CREATE TABLE late (id integer PRIMARY KEY);
CREATE VIEW early AS SELECT 1 AS id;
CREATE OR REPLACE VIEW early AS SELECT id FROM late;
CREATE VIEW a_first AS SELECT * FROM early;
INSERT INTO late VALUES (1);
