-- works
CREATE SEQUENCE "no. %s";
CREATE SEQUENCE "it's ""mine""" AS smallint START 5 INCREMENT 1 CACHE 10;
CREATE TABLE t (id integer PRIMARY KEY DEFAULT nextval('"no. %s"'), n smallint DEFAULT nextval('"it''s ""mine"""'));
ALTER SEQUENCE "it's ""mine""" OWNED BY t.n;
INSERT INTO t SELECT FROM generate_series(1, 3);
