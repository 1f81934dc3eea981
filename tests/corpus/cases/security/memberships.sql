-- works
-- own
-- roles: corpus_group corpus_member
GRANT corpus_group TO corpus_member WITH ADMIN OPTION;
CREATE TABLE t (id integer PRIMARY KEY);
GRANT SELECT ON t TO corpus_group;
INSERT INTO t VALUES (1);
