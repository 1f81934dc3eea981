-- works
CREATE TABLE t (id integer PRIMARY KEY, "v v" text);
CREATE FUNCTION "t%g"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW."v v" := TG_ARGV[0]; RETURN NEW; END $$;
CREATE TRIGGER "a ""%s""; --" BEFORE UPDATE OF "v v" ON t FOR EACH ROW WHEN (NEW."v v" IN ('%', 'it''s'))
    EXECUTE FUNCTION "t%g"('it''s', E'back\\slash', '"', '%s', E'two\nlines', '');
INSERT INTO t VALUES (1, 'x');
