-- works
-- Old rows were written before it.
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'closed'; END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION refuse();
