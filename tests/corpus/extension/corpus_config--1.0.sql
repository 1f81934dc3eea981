CREATE TABLE settings (id serial PRIMARY KEY, name text UNIQUE, value text, packaged boolean NOT NULL DEFAULT false);
INSERT INTO settings (name, value, packaged) VALUES ('shipped', '1', true);
SELECT pg_catalog.pg_extension_config_dump('settings', 'WHERE NOT packaged');
SELECT pg_catalog.pg_extension_config_dump('settings_id_seq', '');
CREATE TABLE all_of_it (id integer PRIMARY KEY, value text);
SELECT pg_catalog.pg_extension_config_dump('all_of_it', '');
INSERT INTO all_of_it VALUES (1, 'shipped');
CREATE TABLE not_dumped (id integer PRIMARY KEY);
