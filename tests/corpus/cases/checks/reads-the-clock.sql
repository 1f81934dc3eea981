-- warning: check-calls
CREATE TABLE offer (id integer PRIMARY KEY, ends timestamptz CHECK (ends > now()));
ALTER TABLE offer DISABLE TRIGGER ALL;
INSERT INTO offer VALUES (1, clock_timestamp() + interval '20 milliseconds');
SELECT pg_sleep(0.03);
