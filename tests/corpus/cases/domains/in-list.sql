-- works
CREATE DOMAIN level AS varchar(8) CHECK (VALUE IN ('low', 'high'));
CREATE TABLE t (id integer PRIMARY KEY, l level DEFAULT 'low');
INSERT INTO t VALUES (1, 'high'), (2, DEFAULT);
