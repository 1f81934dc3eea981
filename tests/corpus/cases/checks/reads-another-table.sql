-- warning: check-calls
-- Loaded side by side, the other table may still be empty; and a row may break it by now.
CREATE TABLE kind (id integer PRIMARY KEY, open boolean NOT NULL);
CREATE FUNCTION kind_open(k integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((SELECT open FROM kind WHERE id = k), false);
END $$;
DO $$ BEGIN EXECUTE format('ALTER FUNCTION kind_open SET search_path = %I', current_schema()); END $$;
INSERT INTO kind VALUES (1, true);
CREATE TABLE a_thing (id integer PRIMARY KEY, kind integer CHECK (kind_open(kind)));
INSERT INTO a_thing VALUES (1, 1);
UPDATE kind SET open = false;
