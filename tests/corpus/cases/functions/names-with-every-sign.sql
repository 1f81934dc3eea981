-- works
CREATE FUNCTION "f ""%s""; $$"("the a%" integer, VARIADIC "Rest" text[] DEFAULT '{"%"}') RETURNS TABLE ("o ut" text, "%" integer)
    LANGUAGE sql AS $f$ SELECT array_to_string($2, '%'), $1 $f$;
CREATE PROCEDURE "p'p"(INOUT "x y" integer) LANGUAGE plpgsql AS $p$ BEGIN "x y" := "x y" + 1; END $p$;
COMMENT ON FUNCTION "f ""%s""; $$" IS 'it''s; "%s"';
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
