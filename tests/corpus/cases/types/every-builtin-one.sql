-- warning: large-object-column
CREATE TABLE t (id integer PRIMARY KEY, a smallint, b bigint, c numeric, d numeric(40,20), e real, f double precision,
    g money, h varchar(9), i char(5), j bytea, k timestamp(3), l timestamptz, m time, n timetz, o interval,
    p date, q boolean, r point, s line, t lseg, u box, v path, w polygon, x circle, y inet, z cidr,
    aa macaddr, ab macaddr8, ac bit(5), ad varbit, ae tsvector, af tsquery, ag uuid, ah xml, ai json,
    aj jsonb, ak jsonpath, al int4range, am tstzrange, an pg_lsn, ao name, ap oid, aq "char", ar text[][]);
INSERT INTO t VALUES (1, -32768, 9223372036854775807, 'NaN', 1e-20, '-Infinity', 4.9e-324,
    12.34, 'é', 'ab', '\x00ff5c', '2024-02-29 12:00:00.123', 'infinity', '24:00', '23:59:60+15:59:59', '-1 year 2 days -3:04:05.6',
    '0044-03-15 BC', true, '(1,-0)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))', '<(0,0),1>', '::1/64', '10/8',
    '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '10101', '1', 'a:1A b:2', 'a & !b:*', '00000000-0000-0000-0000-000000000000', '<a>é</a>', '{"b": 1,  "b":2}',
    '{"n": 1.00}', '$.a[*]', '[1,5)', 'empty', '16/B374D848', 'n', 4294967295, 'c', '{{a,"b,c"},{NULL,"NULL"}}');
