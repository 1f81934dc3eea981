-- works
-- exclude: public.doc
CREATE TABLE doc (id integer PRIMARY KEY, body text, ts tsvector GENERATED ALWAYS AS (to_tsvector('simple', body)) STORED);
CREATE TABLE other (id integer PRIMARY KEY);
INSERT INTO other VALUES (1);
