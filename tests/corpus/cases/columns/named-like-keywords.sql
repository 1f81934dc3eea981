-- works
CREATE TABLE "select" ("from" integer PRIMARY KEY, "Where" text, "a b" text, "c%d" text, "user" text, "1" integer);
CREATE INDEX ON "select" ("Where", "a b");
INSERT INTO "select" VALUES (1, 'a', 'b', 'c', 'd', 1);
