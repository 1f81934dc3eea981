-- works
CREATE TABLE ticket (id integer PRIMARY KEY, status varchar(20) NOT NULL);
CREATE INDEX ticket_open ON ticket (id) WHERE status IN ('open', 'stuck');
INSERT INTO ticket VALUES (1, 'open');
