-- works
CREATE TABLE t (id integer PRIMARY KEY, v text, b bytea);
INSERT INTO t VALUES (1, '\.', '\x5c2e'), (2, E'\\N', NULL), (3, '', ''), (4, E'a\tb\nc\rd\\', '\x00'), (5, NULL, NULL),
    (6, E'\\x41', '\x0a'), (7, '\.' || chr(10) || '\.', NULL), (8, chr(127) || chr(8), NULL);
