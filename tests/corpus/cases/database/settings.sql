-- works
-- own
-- roles: corpus_reader
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = app, public', current_database());
    EXECUTE format('ALTER DATABASE %I SET "my.setting" = %L', current_database(), 'a''b');
    EXECUTE format('ALTER DATABASE %I SET DateStyle = %L', current_database(), 'SQL, DMY');
    EXECUTE format('ALTER DATABASE %I SET IntervalStyle = %L', current_database(), 'sql_standard');
    EXECUTE format('ALTER DATABASE %I SET extra_float_digits = 0', current_database());
    EXECUTE format('ALTER DATABASE %I SET bytea_output = escape', current_database());
    EXECUTE format('ALTER DATABASE %I SET TimeZone = %L', current_database(), 'Asia/Kathmandu');
    EXECUTE format('ALTER ROLE corpus_reader IN DATABASE %I SET statement_timeout = 5000', current_database());
    EXECUTE format('COMMENT ON DATABASE %I IS %L', current_database(), 'it''s');
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO corpus_reader', current_database());
END $$;
CREATE SCHEMA app;
CREATE TABLE app.t (id integer PRIMARY KEY, d date, i interval, f float8, b bytea, z timestamptz DEFAULT '2024-04-03 12:00');
INSERT INTO app.t VALUES (1, DATE '2024-04-03', '-1 day', 0.1 + 0.2::float8, '\x005c');
