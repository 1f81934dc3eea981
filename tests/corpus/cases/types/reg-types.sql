-- works
-- Their binary form is an OID of one cluster.
CREATE TABLE t (id integer PRIMARY KEY, c regclass, r regrole, y regtype, n regnamespace, p regprocedure, o regoperator,
                f regconfig, cs regclass[]);
INSERT INTO t VALUES (1, 't', 'postgres', 'numeric', 'pg_catalog', 'lower(text)', '+(integer,integer)', 'english', '{pg_class,t}');
