-- works
CREATE TABLE pair (a integer, b integer, PRIMARY KEY (a), CONSTRAINT not_all_null CHECK (num_nonnulls(a, b) > 0),
                   CONSTRAINT whole CHECK (pair IS NOT NULL));
INSERT INTO pair VALUES (1, 2);
