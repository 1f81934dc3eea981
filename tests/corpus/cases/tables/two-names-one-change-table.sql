-- blocker: delta-name-collision
-- own
CREATE SCHEMA shop;
CREATE SCHEMA shop_old;
CREATE TABLE shop.old_items (id integer PRIMARY KEY);
CREATE TABLE shop_old.items (id integer PRIMARY KEY);
INSERT INTO shop.old_items VALUES (1);
