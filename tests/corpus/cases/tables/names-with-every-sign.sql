-- works
CREATE TABLE " padded " (id integer PRIMARY KEY);
CREATE TABLE "tab	tab" (id integer PRIMARY KEY);
CREATE TABLE "quo'te" (id integer PRIMARY KEY);
CREATE TABLE "semi;colon" (id integer PRIMARY KEY);
CREATE TABLE "-- no comment" (id integer PRIMARY KEY);
CREATE TABLE "/* nor this */" (id integer PRIMARY KEY);
CREATE TABLE "$1 and $$" (id integer PRIMARY KEY);
CREATE TABLE "{{ brace }}" (id integer PRIMARY KEY);
CREATE TABLE "%(x)s" (id integer PRIMARY KEY);
CREATE TABLE "*" (id integer PRIMARY KEY);
CREATE TABLE "[a-z]?" (id integer PRIMARY KEY);
CREATE TABLE "1" (id integer PRIMARY KEY);
CREATE TABLE "`x`=&<>" (id integer PRIMARY KEY);
INSERT INTO " padded " VALUES (1);
INSERT INTO "%(x)s" VALUES (2);
INSERT INTO "*" VALUES (3);
INSERT INTO "[a-z]?" VALUES (4);
INSERT INTO "semi;colon" VALUES (5);
