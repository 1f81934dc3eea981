-- works
CREATE TABLE t (id integer PRIMARY KEY, name text, path text);
CREATE INDEX ON t (name text_pattern_ops, path COLLATE "C" text_pattern_ops DESC);
CREATE INDEX ON t (name COLLATE "POSIX" NULLS FIRST) INCLUDE (path) WITH (deduplicate_items = off);
INSERT INTO t VALUES (1, 'n', 'p');
