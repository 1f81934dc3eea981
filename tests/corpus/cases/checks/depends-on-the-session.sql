-- warning: check-calls
-- TimeZone decides what day it is.
CREATE TABLE day (id integer PRIMARY KEY, at timestamptz CHECK (at::date = DATE '2024-05-05'));
SET TimeZone = 'Pacific/Auckland';
INSERT INTO day VALUES (1, '2024-05-05 00:30+12');
