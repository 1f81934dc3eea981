-- works
-- Between 18 and older servers these names are not the same.
CREATE TABLE "order" (item_id integer PRIMARY KEY, nick text NOT NULL);
CREATE TABLE order_item (id integer PRIMARY KEY, order_item_id_not_null integer NOT NULL);
ALTER TABLE "order" RENAME COLUMN nick TO nickname;
INSERT INTO "order" VALUES (1, 'n');
