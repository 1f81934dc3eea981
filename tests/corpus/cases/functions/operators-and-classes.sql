-- works
CREATE FUNCTION same(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT lower($1) = lower($2)';
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = same, COMMUTATOR = ===, HASHES, RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE OPERATOR FAMILY fam USING btree;
CREATE OPERATOR CLASS desc_ops FOR TYPE integer USING btree FAMILY fam AS
    OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 btint4cmp(integer, integer);
CREATE TABLE t (id integer PRIMARY KEY, v text);
CREATE INDEX ON t (id desc_ops);
CREATE VIEW v AS SELECT * FROM t WHERE v === 'a';
INSERT INTO t VALUES (1, 'A');
