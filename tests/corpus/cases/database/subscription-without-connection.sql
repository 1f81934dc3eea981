-- blocker: subscribed
-- own
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t VALUES (1);
CREATE SUBSCRIPTION nowhere CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE, enabled = false);
INSERT INTO pg_subscription_rel SELECT s.oid, 't'::regclass, 'r', NULL FROM pg_subscription s WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database());
