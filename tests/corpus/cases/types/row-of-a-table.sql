-- works
CREATE TABLE part (a integer PRIMARY KEY, b text);
CREATE TABLE whole (id integer PRIMARY KEY, p part, ps part[]);
INSERT INTO whole VALUES (1, (1, 'x'), ARRAY[(2, NULL)::part]);
