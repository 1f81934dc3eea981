-- works
CREATE TABLE m (id integer, r integer, v text, PRIMARY KEY (id, r)) PARTITION BY LIST (r);
CREATE TABLE m_a (v text, gone integer, r integer NOT NULL, id integer NOT NULL, PRIMARY KEY (id, r));
ALTER TABLE m_a DROP COLUMN gone;
ALTER TABLE m ATTACH PARTITION m_a FOR VALUES IN (1);
CREATE INDEX ON m (v);
INSERT INTO m VALUES (1, 1, 'x');
