-- works
-- own
CREATE SCHEMA "Sales Data";
CREATE SCHEMA "user";
CREATE SCHEMA "s.t";
CREATE SCHEMA "s%d";
CREATE SCHEMA "it's; here";
CREATE SCHEMA "Größe";
CREATE SCHEMA "a_schema_with_a_name_that_fills_all_of_the_sixty_three_bytes_of";
CREATE SCHEMA bucardo_data;
CREATE SCHEMA "Multimaster";
CREATE TABLE "Sales Data".t (id serial PRIMARY KEY);
CREATE TABLE "user".t (id integer PRIMARY KEY REFERENCES "Sales Data".t);
CREATE TABLE "s.t".t (id integer PRIMARY KEY);
CREATE TABLE "s%d".t (id integer PRIMARY KEY);
CREATE TABLE "it's; here".t (id integer PRIMARY KEY);
CREATE TABLE "Größe".t (id integer PRIMARY KEY);
CREATE TABLE "a_schema_with_a_name_that_fills_all_of_the_sixty_three_bytes_of".t (id integer PRIMARY KEY);
CREATE TABLE bucardo_data.delta_t (id integer PRIMARY KEY);
CREATE TABLE "Multimaster".t (id integer PRIMARY KEY);
INSERT INTO "Sales Data".t VALUES (1);
INSERT INTO "user".t VALUES (1);
INSERT INTO "s%d".t VALUES (2);
INSERT INTO "it's; here".t VALUES (3);
INSERT INTO "Multimaster".t VALUES (4);
