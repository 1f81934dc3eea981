-- works
-- server: 18
-- Old rows may be null.
CREATE TABLE member (id integer PRIMARY KEY, email text);
INSERT INTO member VALUES (1, NULL), (2, 'a@example.com');
ALTER TABLE member ADD CONSTRAINT email_there NOT NULL email NOT VALID;
