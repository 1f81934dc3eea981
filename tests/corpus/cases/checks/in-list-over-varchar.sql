-- works
-- Stored as an array that is cast as a whole; its printed form is read back as one of cast elements.
CREATE TABLE ticket (id integer PRIMARY KEY, status varchar(20) NOT NULL CHECK (status IN ('open', 'closed')));
INSERT INTO ticket VALUES (1, 'open'), (2, 'closed');
