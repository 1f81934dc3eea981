-- works
CREATE TABLE "täble ☃" (id integer PRIMARY KEY, "spalte ß" text DEFAULT 'ﬃ');
INSERT INTO "täble ☃" VALUES (1, '🜚' || U&'\0301' || 'e' || U&'\202E');
