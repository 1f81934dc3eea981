-- works
CREATE TABLE t (id integer PRIMARY KEY);
DO $$ BEGIN FOR i IN 1..300 LOOP EXECUTE format('ALTER TABLE t ADD c%s text', i); END LOOP; END $$;
INSERT INTO t (id, c300) VALUES (1, 'last');
