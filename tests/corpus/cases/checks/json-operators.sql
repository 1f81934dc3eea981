-- works
CREATE TABLE doc (id integer PRIMARY KEY, j jsonb CHECK (j ? 'a' AND j ->> 'a' IN ('x', 'y') AND j @> '{"b": 1}'),
                  k jsonb CHECK (jsonb_path_exists(k, '$.a[*] ? (@ > 1)')));
INSERT INTO doc VALUES (1, '{"a": "x", "b": 1}', '{"a": [2]}');
