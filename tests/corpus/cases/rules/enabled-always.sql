-- warning: always-trigger
-- Bucardo's DELETE would be rewritten.
CREATE TABLE t (id integer PRIMARY KEY, v text);
CREATE RULE keep AS ON DELETE TO t DO INSTEAD NOTHING;
ALTER TABLE t ENABLE ALWAYS RULE keep;
INSERT INTO t VALUES (1, 'x');
