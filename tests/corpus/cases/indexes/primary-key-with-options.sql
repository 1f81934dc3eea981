-- works
CREATE TABLE t (id integer, CONSTRAINT "t pk" PRIMARY KEY (id) WITH (fillfactor = 60));
INSERT INTO t VALUES (1);
