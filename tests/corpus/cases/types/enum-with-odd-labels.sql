-- works
CREATE TYPE "the state %" AS ENUM ('', ' ', 'it''s', '"', '\', '\N', '%s', 'a,b', '{}', 'NULL', 'ß',
    'a_label_that_fills_all_of_the_sixty_three_bytes_that_it_may_hav');
CREATE TABLE t (k "the state %" PRIMARY KEY, d "the state %" DEFAULT '\N', a "the state %"[] DEFAULT '{"",NULL,"NULL"}');
INSERT INTO t (k) SELECT unnest(enum_range(NULL::"the state %"));
