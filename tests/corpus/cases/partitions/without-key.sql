-- blocker: no-key
CREATE TABLE m (id integer, r text) PARTITION BY LIST (r);
CREATE TABLE m_a PARTITION OF m FOR VALUES IN ('a');
INSERT INTO m VALUES (1, 'a');
