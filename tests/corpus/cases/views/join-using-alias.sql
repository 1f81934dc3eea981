-- works
-- server: 14
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (id integer PRIMARY KEY);
CREATE VIEW v AS SELECT j.id FROM a JOIN b USING (id) AS j;
INSERT INTO a VALUES (1);
