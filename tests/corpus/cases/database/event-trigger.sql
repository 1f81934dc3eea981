-- warning: event-trigger
-- own
CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE DEBUG '%', tg_tag; END $$;
CREATE EVENT TRIGGER note_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION note();
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
