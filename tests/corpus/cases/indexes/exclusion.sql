-- warning: exclusion-constraint
-- own
CREATE EXTENSION btree_gist;
CREATE TABLE booking (id integer PRIMARY KEY, room integer, during tsrange,
    EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (room IN (1, 2)) DEFERRABLE);
INSERT INTO booking VALUES (1, 1, '[2020-01-01,2020-01-02)');
