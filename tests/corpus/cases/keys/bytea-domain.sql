-- blocker: key-type
CREATE DOMAIN bytea20 AS bytea CHECK (octet_length(VALUE) = 20);
CREATE TABLE host (id bytea20 PRIMARY KEY, v integer);
INSERT INTO host VALUES (decode('00ff5c00000000000000000000000000000000aa', 'hex'), 1);
