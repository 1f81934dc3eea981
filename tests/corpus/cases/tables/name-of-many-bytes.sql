-- blocker: delta-name-long, delta-name-quoted
-- Fewer than 63 letters, each of two bytes.
CREATE TABLE "ööööööööööööööööööööööööööööööö" (id integer PRIMARY KEY);
INSERT INTO "ööööööööööööööööööööööööööööööö" VALUES (1);
