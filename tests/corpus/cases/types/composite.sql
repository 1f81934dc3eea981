-- works
CREATE TYPE money_of AS (amount numeric(12,2), currency char(3));
CREATE TABLE t (id integer PRIMARY KEY, price money_of, prices money_of[]);
INSERT INTO t VALUES (1, (1.50, 'EUR'), ARRAY[(2, 'USD')::money_of, NULL]);
ALTER TYPE money_of DROP ATTRIBUTE currency;
ALTER TYPE money_of ADD ATTRIBUTE code text COLLATE "C";
