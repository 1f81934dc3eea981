-- blocker: table-name
CREATE TABLE "two
lines" (id integer PRIMARY KEY);
INSERT INTO "two
lines" VALUES (1);
