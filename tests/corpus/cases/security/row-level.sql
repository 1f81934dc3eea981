-- warning: row-security
-- roles: corpus_reader
CREATE TABLE t (id integer PRIMARY KEY, owner varchar(63));
ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY readers ON t FOR SELECT TO corpus_reader USING (owner IN ('a', current_user));
CREATE POLICY writers ON t AS RESTRICTIVE FOR ALL USING (id > 0) WITH CHECK (owner = current_user);
INSERT INTO t VALUES (1, 'a'), (-1, 'b');
