-- works
-- Column numbers differ from those of a table that was made anew.
CREATE TABLE t (gone integer, id integer PRIMARY KEY, gone_too text, n integer CHECK (n > 0));
ALTER TABLE t DROP COLUMN gone, DROP COLUMN gone_too;
ALTER TABLE t ADD COLUMN late integer DEFAULT 7 CHECK (late > 0);
INSERT INTO t VALUES (1, 1);
