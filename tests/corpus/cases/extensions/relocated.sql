-- works
-- own
CREATE SCHEMA ext;
CREATE EXTENSION pgcrypto SCHEMA ext;
CREATE EXTENSION "uuid-ossp" SCHEMA ext;
CREATE TABLE t (id uuid DEFAULT ext.uuid_generate_v4() PRIMARY KEY, h text DEFAULT encode(ext.digest('x', 'sha256'), 'hex'));
COMMENT ON EXTENSION pgcrypto IS 'ours';
INSERT INTO t DEFAULT VALUES;
