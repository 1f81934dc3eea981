-- works
CREATE TABLE t (id integer PRIMARY KEY);
DO $$ BEGIN
  EXECUTE (SELECT 'ALTER TABLE t ' || string_agg(format('ADD c%s boolean', i), ', ') FROM generate_series(1, 1599) i);
END $$;
INSERT INTO t (id, c1, c1599) VALUES (1, true, false);
