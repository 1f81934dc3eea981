-- works
-- Their order is not that of their OIDs.
CREATE TYPE size AS ENUM ('s', 'l');
ALTER TYPE size ADD VALUE 'm' BEFORE 'l';
ALTER TYPE size ADD VALUE '''xl''' AFTER 'l';
CREATE TABLE t (id integer PRIMARY KEY, s size DEFAULT 's', all_of size[]);
INSERT INTO t VALUES (1, 's', '{s,l}');
