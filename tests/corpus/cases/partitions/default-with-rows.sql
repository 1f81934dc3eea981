-- warning: key-backslash-refused
CREATE TABLE m (id integer, r text, PRIMARY KEY (id, r)) PARTITION BY LIST (r);
CREATE TABLE m_null PARTITION OF m FOR VALUES IN ('', 'NULL', 'it''s');
CREATE TABLE m_default PARTITION OF m DEFAULT;
INSERT INTO m VALUES (1, ''), (2, 'NULL'), (3, 'else'), (4, 'it''s');
