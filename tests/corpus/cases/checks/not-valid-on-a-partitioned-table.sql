-- works
-- The leaf inherits it, and cannot drop it.
CREATE TABLE event (id integer, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE event_old PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
INSERT INTO event VALUES (-1, '2020-05-05'), (1, '2020-05-06');
ALTER TABLE event ADD CONSTRAINT positive CHECK (id > 0) NOT VALID;
