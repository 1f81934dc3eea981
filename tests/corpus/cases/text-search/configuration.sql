-- works
CREATE TEXT SEARCH DICTIONARY plain (TEMPLATE = pg_catalog.simple, STOPWORDS = english, ACCEPT = false);
CREATE TEXT SEARCH CONFIGURATION own (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION own ALTER MAPPING FOR asciiword WITH plain, english_stem;
ALTER TEXT SEARCH CONFIGURATION own DROP MAPPING FOR url;
CREATE TABLE t (id integer PRIMARY KEY, body text);
DO $$ BEGIN EXECUTE format('CREATE INDEX ON t USING gin (to_tsvector(%L::regconfig, body))', current_schema() || '.own'); END $$;
INSERT INTO t VALUES (1, 'the cats');
