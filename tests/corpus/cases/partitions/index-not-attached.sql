-- works
-- The parent's index is invalid until every leaf has one.
CREATE TABLE m (id integer, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (10);
CREATE INDEX m_v ON ONLY m (v);
INSERT INTO m VALUES (1, 'x');
