-- warning: always-trigger
-- It fires in replica role too.
CREATE TABLE counter (id integer PRIMARY KEY, n bigint);
INSERT INTO counter VALUES (1, 0);
CREATE TABLE item (id integer PRIMARY KEY);
CREATE FUNCTION count_item() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE counter SET n = n + 1; RETURN NULL; END $$;
DO $$ BEGIN EXECUTE format('ALTER FUNCTION count_item SET search_path = %I', current_schema()); END $$;
CREATE TRIGGER count_item AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION count_item();
ALTER TABLE item ENABLE ALWAYS TRIGGER count_item;
INSERT INTO item VALUES (1), (2);
