-- works
CREATE TABLE t (id integer PRIMARY KEY, owner text);
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM t WHERE owner = current_user;
CREATE VIEW checked AS SELECT * FROM t WHERE id > 0 WITH LOCAL CHECK OPTION;
CREATE VIEW cascaded AS SELECT * FROM checked WITH CASCADED CHECK OPTION;
ALTER VIEW checked ALTER COLUMN owner SET DEFAULT 'me';
INSERT INTO t VALUES (1, 'a');
