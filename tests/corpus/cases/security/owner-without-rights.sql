-- works
-- roles: corpus_owner
CREATE TABLE t (id integer PRIMARY KEY);
ALTER TABLE t OWNER TO corpus_owner;
REVOKE ALL ON t FROM corpus_owner;
INSERT INTO t VALUES (1);
