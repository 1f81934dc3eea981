-- works
CREATE TABLE t (id serial PRIMARY KEY, v text);
ALTER SEQUENCE t_id_seq RENAME TO other_seq;
ALTER TABLE t RENAME TO u;
INSERT INTO u (v) VALUES ('x');
