-- works
CREATE TABLE t (id integer PRIMARY KEY, v text);
CREATE TABLE shadow (id integer PRIMARY KEY, v text);
CREATE RULE copy AS ON INSERT TO t DO ALSO INSERT INTO shadow VALUES (NEW.id, NEW.v);
CREATE RULE keep AS ON DELETE TO t DO INSTEAD UPDATE t SET v = 'deleted' WHERE id = OLD.id;
INSERT INTO t VALUES (1, 'x');
DELETE FROM t;
