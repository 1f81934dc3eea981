-- works
CREATE DOMAIN filled AS text NOT NULL DEFAULT 'x' CONSTRAINT short CHECK (length(VALUE) < 9);
CREATE TABLE t (id integer PRIMARY KEY, v filled, CONSTRAINT v_not_null CHECK (v IS NOT NULL));
INSERT INTO t VALUES (1, 'y');
COMMENT ON CONSTRAINT short ON DOMAIN filled IS 'c';
