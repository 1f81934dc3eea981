-- works
-- own
CREATE SCHEMA ext;
CREATE EXTENSION hstore SCHEMA ext;
CREATE TABLE t (id integer PRIMARY KEY, h ext.hstore, hs ext.hstore[]);
INSERT INTO t VALUES (1, 'a=>1, b=>NULL', ARRAY['x=>y'::ext.hstore]);
