-- works
-- Old rows may break it; they must arrive, and it must stay NOT VALID.
CREATE TABLE member (id integer PRIMARY KEY, email text);
INSERT INTO member VALUES (1, NULL), (2, 'a@example.com');
ALTER TABLE member ADD CONSTRAINT email_there CHECK (email IS NOT NULL) NOT VALID;
COMMENT ON CONSTRAINT email_there ON member IS 'for new members';
