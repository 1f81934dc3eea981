-- works
CREATE TABLE "100%.of\it" ("a%s" integer PRIMARY KEY, "b.c" text, "d\e" text);
CREATE INDEX "i %d" ON "100%.of\it" ("b.c");
INSERT INTO "100%.of\it" VALUES (1, 'b', 'd');
