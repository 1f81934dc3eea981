-- works
CREATE TABLE "t %" (id integer PRIMARY KEY, "v ""v""" text);
CREATE VIEW "v %s; --" AS SELECT id AS "the id?", "v ""v""" AS "%" FROM "t %" WHERE "v ""v""" LIKE '100\%%' ESCAPE '\';
CREATE VIEW "over $$" AS SELECT "v %s; --".* FROM "v %s; --" WHERE "%" ~ E'^\\d+$' WITH LOCAL CHECK OPTION;
CREATE MATERIALIZED VIEW "m'm" AS SELECT count(*) AS "count(*)" FROM "t %";
CREATE RULE "r ""%s""" AS ON INSERT TO "v %s; --" DO INSTEAD NOTHING;
INSERT INTO "t %" VALUES (1, '100%'), (2, '200');
REFRESH MATERIALIZED VIEW "m'm";
