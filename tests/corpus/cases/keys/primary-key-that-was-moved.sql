-- works
-- Named as another object, over a column that came later.
CREATE TABLE t (v text, id integer);
INSERT INTO t VALUES ('x', 1);
CREATE UNIQUE INDEX "T_pkey" ON t (id);
ALTER TABLE t ADD PRIMARY KEY USING INDEX "T_pkey";
