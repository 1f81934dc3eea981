-- works
-- server: 18
-- own
CREATE EXTENSION btree_gist;
CREATE TABLE booking (id integer, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
INSERT INTO booking VALUES (1, '[2020-01-01,2020-02-01)');
