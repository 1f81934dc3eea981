-- works
-- What the cure of generated-column says.
CREATE TABLE doc (id integer PRIMARY KEY, body text, ts tsvector GENERATED ALWAYS AS (to_tsvector('simple', body)) STORED);
INSERT INTO doc VALUES (1, 'a b');
ALTER TABLE doc ALTER COLUMN ts DROP EXPRESSION;
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.ts := to_tsvector('simple', NEW.body); RETURN NEW; END $$;
CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON doc FOR EACH ROW EXECUTE FUNCTION fill();
INSERT INTO doc VALUES (2, 'c');
