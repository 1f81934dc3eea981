-- works
CREATE TABLE t (gone0 integer, id integer PRIMARY KEY);
DO $$ BEGIN FOR i IN 1..60 LOOP
  EXECUTE format('ALTER TABLE t ADD c%s text', i);
  IF i % 3 > 0 THEN EXECUTE format('ALTER TABLE t DROP c%s', i); END IF;
END LOOP; END $$;
ALTER TABLE t DROP gone0;
INSERT INTO t (id, c3, c60) VALUES (1, 'third', 'last');
