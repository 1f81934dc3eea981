-- warning: extension-rows
-- own
-- What users put into an extension's tables is dumped by the condition that the extension names.
CREATE EXTENSION corpus_config;
INSERT INTO settings (name, value) VALUES ('a', 'b'), ('c', 'd');
UPDATE all_of_it SET value = 'changed' WHERE id = 1;
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
