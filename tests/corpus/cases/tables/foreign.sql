-- warning: left-out
-- own
CREATE EXTENSION postgres_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.example.com', dbname 'x');
CREATE USER MAPPING FOR PUBLIC SERVER elsewhere OPTIONS (user 'u', password 'secret''s');
CREATE FOREIGN TABLE far (id integer OPTIONS (column_name 'ID'), CHECK (id > 0)) SERVER elsewhere OPTIONS (table_name 't');
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
