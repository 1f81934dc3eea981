-- works
CREATE TABLE t (" id" integer, "i.d" integer, "i%d" text, "i'd" integer, PRIMARY KEY (" id", "i.d", "i'd"),
    "va""lue" text, "v|v" text, "v
v" text, "v\v" text DEFAULT '\', "{v}" text, "$1" text, "select" text, "täg ☃" text, ";" text, "%s" text, "?" text,
    "txntime" timestamptz, "a_column_with_a_name_that_fills_all_the_sixty_three_bytes_of_it_" text);
CREATE INDEX "i ""%s"";" ON t ("va""lue", "v
v") WHERE "{v}" <> '%';
ALTER TABLE t ADD CONSTRAINT "c ""'%" CHECK ("v|v" <> ALL ('{"a","b\\"}'::text[]));
COMMENT ON COLUMN t."v
v" IS E'it''s\n"two" \\ lines';
INSERT INTO t VALUES (1, 2, 'x', 3, '"', '|', E'\n', '\', '{', '$', 's', 'ß', ';', '%s', '?', now(), 'long');
