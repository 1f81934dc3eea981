-- works
CREATE TABLE any_of (id integer PRIMARY KEY, v varchar CHECK (v = ANY (ARRAY['a', 'b']::varchar[])),
                     w text CHECK (w <> ALL ('{x,y}'::text[])));
INSERT INTO any_of VALUES (1, 'a', 'z');
