-- warning: check-calls
CREATE FUNCTION in_future(t timestamptz) RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN RETURN t > clock_timestamp(); END $$;
CREATE TABLE offer (id integer PRIMARY KEY, ends timestamptz CHECK (in_future(ends)));
INSERT INTO offer VALUES (1, clock_timestamp() + interval '20 milliseconds');
SELECT pg_sleep(0.03);
