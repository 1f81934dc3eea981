-- works
CREATE SEQUENCE tickets START 100;
CREATE FUNCTION next_code() RETURNS text LANGUAGE sql AS $$ SELECT 'x' || nextval('tickets')::text $$;
CREATE TABLE t (id integer PRIMARY KEY, a integer DEFAULT nextval('tickets'), b timestamptz DEFAULT now(), c date DEFAULT 'now'::text::date,
    d text DEFAULT current_user, e text DEFAULT next_code(), f varchar(5) DEFAULT 'a'::varchar, g bit(3) DEFAULT B'101',
    h integer[] DEFAULT ARRAY[1, 2], i jsonb DEFAULT '{"a": []}', j interval DEFAULT '1 day', k text DEFAULT E'a\nb\\c''d');
DO $$ BEGIN EXECUTE format('ALTER FUNCTION next_code() SET search_path = %I', current_schema()); END $$;
INSERT INTO t (id) VALUES (1);
