-- blocker: delta-name-quoted
-- Bucardo cuts the name with its quotes at one place, and without them at another.
CREATE TABLE "A name of some words, in which capitals and blanks are" (id integer PRIMARY KEY);
INSERT INTO "A name of some words, in which capitals and blanks are" VALUES (1);
