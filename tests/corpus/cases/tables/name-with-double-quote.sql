-- blocker: table-name
CREATE TABLE "a""b" (id integer PRIMARY KEY);
INSERT INTO "a""b" VALUES (1);
