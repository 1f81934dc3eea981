-- works
-- Rows that are older than the column have its value only in the catalog.
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1), (2);
ALTER TABLE t ADD COLUMN a text DEFAULT 'late' NOT NULL, ADD COLUMN b timestamptz DEFAULT '2024-01-01';
ALTER TABLE t ALTER a DROP DEFAULT;
