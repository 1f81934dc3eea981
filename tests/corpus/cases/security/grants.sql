-- works
-- roles: corpus_reader corpus_writer
CREATE TABLE t (id integer PRIMARY KEY, a text, b text);
INSERT INTO t VALUES (1, 'a', 'b');
CREATE SEQUENCE s;
GRANT SELECT, UPDATE (a) ON t TO corpus_reader WITH GRANT OPTION;
GRANT INSERT (id, b), TRUNCATE ON t TO corpus_writer;
GRANT USAGE ON SEQUENCE s TO PUBLIC;
DO $$ BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO corpus_reader', current_schema());
    SET LOCAL ROLE corpus_reader;
    GRANT SELECT ON t TO corpus_writer;
END $$;
