-- blocker: no-key
CREATE TABLE log (at timestamptz, line text);
INSERT INTO log VALUES (now(), 'x'), (now(), 'x');
