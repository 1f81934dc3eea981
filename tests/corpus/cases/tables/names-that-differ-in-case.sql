-- works
CREATE TABLE item (id integer PRIMARY KEY, v text);
CREATE TABLE "Item" (id integer PRIMARY KEY, "V" text, v text);
CREATE TABLE "ITEM" (id integer PRIMARY KEY, CHECK (id > 1));
INSERT INTO item VALUES (1, 'small');
INSERT INTO "Item" VALUES (2, 'mixed', 'small');
INSERT INTO "ITEM" VALUES (3);
