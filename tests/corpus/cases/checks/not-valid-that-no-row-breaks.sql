-- works
CREATE TABLE member (id integer PRIMARY KEY, email text);
INSERT INTO member VALUES (1, 'a@example.com');
ALTER TABLE member ADD CONSTRAINT email_there CHECK (email IS NOT NULL) NOT VALID;
