-- works
CREATE TABLE "user" (id integer PRIMARY KEY, "table" text);
CREATE TABLE "order" (id integer PRIMARY KEY, "user" integer REFERENCES "user");
CREATE TABLE "table" (id integer PRIMARY KEY);
CREATE TABLE "group" (id integer PRIMARY KEY);
CREATE TABLE "current_user" (id integer PRIMARY KEY);
CREATE VIEW "primary" AS SELECT o.id, u."table" FROM "order" o JOIN "user" u ON u.id = o."user";
INSERT INTO "user" VALUES (1, 'x');
INSERT INTO "order" VALUES (1, 1);
INSERT INTO "table" VALUES (1);
