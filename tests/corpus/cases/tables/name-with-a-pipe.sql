-- blocker: table-name
-- Bucardo keeps what it made of a name with | between, and cuts it there.
CREATE TABLE "a|b" (id integer PRIMARY KEY);
INSERT INTO "a|b" VALUES (1);
