-- warning: check-calls
CREATE TABLE allowed (v text PRIMARY KEY);
INSERT INTO allowed VALUES ('a');
CREATE FUNCTION is_allowed(t text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN RETURN EXISTS (SELECT FROM allowed WHERE v = t); END $$;
DO $$ BEGIN EXECUTE format('ALTER FUNCTION is_allowed SET search_path = %I', current_schema()); END $$;
CREATE DOMAIN good AS text CHECK (is_allowed(VALUE));
CREATE TABLE a_user (id integer PRIMARY KEY, v good);
INSERT INTO a_user VALUES (1, 'a');
DELETE FROM allowed;
