-- works
-- Built before the other table is loaded, it would hold wrong entries, or fail.
CREATE TABLE rate (id integer PRIMARY KEY, r numeric NOT NULL);
CREATE FUNCTION rate_of(i integer) RETURNS numeric LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE found numeric;
BEGIN
    SELECT r INTO STRICT found FROM rate WHERE id = i;
    RETURN found;
END $$;
DO $$ BEGIN EXECUTE format('ALTER FUNCTION rate_of SET search_path = %I', current_schema()); END $$;
INSERT INTO rate VALUES (1, 1.5);
CREATE TABLE a_price (id integer PRIMARY KEY, rate integer);
CREATE INDEX a_price_rate ON a_price (rate_of(rate));
INSERT INTO a_price VALUES (1, 1);
