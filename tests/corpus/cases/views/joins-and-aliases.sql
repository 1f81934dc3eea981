-- works
CREATE TABLE a (id integer PRIMARY KEY, v varchar(5));
CREATE TABLE b (id integer PRIMARY KEY, a integer, v varchar(5));
CREATE VIEW joined AS SELECT x.v, y.v AS w, z.* FROM a x LEFT JOIN b y USING (id) CROSS JOIN LATERAL (SELECT count(*) AS n FROM b WHERE b.a = x.id) z
    WHERE x.v IN ('p', 'q') OR y.v = ANY (ARRAY['r', 's']::varchar[]) ORDER BY 1 LIMIT 5;
CREATE VIEW using_alias AS SELECT j.id FROM (a JOIN b USING (id)) AS j;
INSERT INTO a VALUES (1, 'p');
