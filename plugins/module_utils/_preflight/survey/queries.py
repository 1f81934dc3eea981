# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What preflight asks the servers: statements that read, whole catalogs at a time (pure).

They run with an empty search_path: what is not PostgreSQL's own names its schema.
"""

from __future__ import annotations

from ..._postgres.identity import RUNNING_SERVER

# pg_settings leaves out what the role may not see, where SHOW would fail.
SERVER = f"""
WITH s AS (SELECT name, setting FROM pg_catalog.pg_settings)
SELECT pg_catalog.current_database()::text AS dbname,
       pg_catalog.current_setting('server_version_num')::int AS version,
       {RUNNING_SERVER} AS identity,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       pg_catalog.current_setting('default_transaction_read_only') = 'on' AS read_only,
       (SELECT sum(CASE name WHEN 'max_connections' THEN setting::int ELSE -setting::int END)
          FROM s WHERE name IN ('max_connections', 'superuser_reserved_connections',
                                'reserved_connections'))
         - (SELECT count(*) FROM pg_catalog.pg_stat_activity
             WHERE backend_type = 'client backend') AS free_connections,
       (SELECT setting::int FROM s WHERE name = 'max_locks_per_transaction')
         * (SELECT sum(setting::int) FROM s
             WHERE name IN ('max_connections', 'max_prepared_transactions')) AS lock_slots,
       COALESCE((SELECT setting FROM s WHERE name = 'session_preload_libraries'), '')
         AS session_libraries,
       COALESCE((SELECT setting FROM s WHERE name = 'data_directory'), '') AS data_directory,
       ARRAY(SELECT datname::text FROM pg_catalog.pg_database ORDER BY datname) AS databases,
       ARRAY(SELECT spcname::text FROM pg_catalog.pg_tablespace) AS tablespaces
"""
ROLES = """
SELECT rolname::text AS name, rolsuper AS superuser, rolcanlogin AS can_login,
       rolconnlimit AS connections, COALESCE(rolvaliduntil < pg_catalog.now(), false) AS expired,
       {may_set_replica} AS may_set_replica,
       rolname = current_user AS is_login
  FROM pg_catalog.pg_roles WHERE rolname IN (current_user, %(user)s)
"""
ROLE_SETTINGS = """
SELECT pg_catalog.split_part(c, '=', 1) AS name,
       pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) AS value,
       COALESCE(r.rolname::text, '') AS role, COALESCE(d.datname::text, '') AS database
  FROM pg_catalog.pg_db_role_setting s
  CROSS JOIN LATERAL unnest(s.setconfig) c
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
 WHERE (s.setrole = 0 OR r.rolname = %(user)s)
   AND (s.setdatabase = 0 OR d.datname = %(dbname)s)
   AND pg_catalog.split_part(c, '=', 1) = ANY (%(names)s)
"""
FILE_SETTINGS = """
SELECT name, setting AS value FROM pg_catalog.pg_file_settings
 WHERE applied AND name = ANY (%(names)s)
"""
EXTENSIONS_OFFERED = (
    "SELECT name::text, default_version AS version FROM pg_catalog.pg_available_extensions"
)
LOCALES = """
SELECT DISTINCT collcollate::text AS name FROM pg_catalog.pg_collation
 WHERE collprovider = 'c' AND collcollate IS NOT NULL
 UNION SELECT datcollate::text FROM pg_catalog.pg_database
"""
QUEUED = """
SELECT n.nspname::text AS schema, c.relname::text AS name FROM pg_catalog.pg_trigger g
  JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE g.tgname = %s
"""
# The names of some columns changed with PostgreSQL 15 and 17: read the row as a document.
# to_regclass() would fail for a role that may not use the schema.
DATABASE = """
SELECT pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       pg_catalog.pg_database_size(d.oid) AS bytes,
       d.datcollate::text AS collate, d.datctype::text AS ctype,
       COALESCE(j ->> 'datlocprovider', 'c') AS provider,
       COALESCE(j ->> 'datlocale', j ->> 'daticulocale', '') AS provider_locale,
       (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata) AS large_objects,
       b.bucardo_relations, b.has_bucardo, b.is_control
  FROM pg_catalog.pg_database d
  CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(d) - 'datacl' AS j) AS document
  CROSS JOIN (SELECT count(*) AS bucardo_relations,
                     COALESCE(bool_or(c.relname = 'bucardo_delta_names'), false) AS has_bucardo,
                     COALESCE(bool_or(c.relname = 'bucardo_config'), false) AS is_control
                FROM pg_catalog.pg_class c
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'bucardo') AS b
 WHERE d.datname = pg_catalog.current_database()
"""
# What a key's values are under all domains: those decide what its text looks like.
KEY_TYPES = """
WITH RECURSIVE columns AS (
  SELECT DISTINCT c.oid AS relation, n.nspname::text AS schema, c.relname::text AS "table",
         a.attname::text AS name, a.atttypid AS type, a.atttypmod AS modifier, a.attcollation
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indrelid AND c.relkind = 'r'
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int2[])
   WHERE i.indisunique AND n.nspname !~ '^pg_'
     AND n.nspname NOT IN ('information_schema', 'bucardo', 'multimaster')
), under AS (
  SELECT relation, name, type, modifier, 0 AS depth FROM columns
  UNION ALL
  SELECT u.relation, u.name, t.typbasetype,
         CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE u.modifier END, u.depth + 1
    FROM under u JOIN pg_catalog.pg_type t ON t.oid = u.type AND t.typtype = 'd'
)
SELECT DISTINCT ON (c.schema, c."table", c.name) c.schema, c."table", c.name,
       pg_catalog.format_type(u.type, NULL) AS base, t.typtype = 'e' AS is_enum,
       u.depth > 0 AS is_domain, u.modifier >= 0 AS has_scale,
       COALESCE((SELECT l.collname::text FROM pg_catalog.pg_collation l
                  WHERE l.oid = c.attcollation AND NOT l.collisdeterministic), '') AS collation
  FROM columns c
  JOIN under u ON u.relation = c.relation AND u.name = c.name
  JOIN pg_catalog.pg_type t ON t.oid = u.type
 ORDER BY c.schema, c."table", c.name, u.depth DESC
"""
TRIGGERS = """
SELECT n.nspname::text AS schema, c.relname::text AS "table", t.tgname::text AS name,
       t.tgenabled::text AS enabled, fn.nspname::text AS function_schema, 'trigger' AS kind
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
  JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
 WHERE NOT t.tgisinternal
UNION ALL
SELECT n.nspname::text, c.relname::text, r.rulename::text, r.ev_enabled::text, '', 'rule'
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE r.rulename <> '_RETURN'
 ORDER BY 1, 2, 3
"""
CONSTRAINTS = """
SELECT k.conname::text AS name, k.contype::text AS type, n.nspname::text AS schema,
       c.relname::text AS "table", fn.nspname::text AS other_schema, f.relname::text AS other
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class f ON f.oid = k.confrelid
  LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
 WHERE k.contype IN ('f', 'x') AND k.conparentid = 0
 ORDER BY 3, 4, 1
"""
INHERITS = """
SELECT n.nspname::text AS schema, c.relname::text AS "table", pn.nspname::text AS parent_schema,
       p.relname::text AS parent, c.relispartition AS is_partition
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p', 'f')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
"""
OTHER_REPLICATION = """
SELECT 'all' AS what, pubname::text AS name, '' AS schema, '' AS "table"
  FROM pg_catalog.pg_publication WHERE puballtables
UNION ALL
SELECT 'published', t.pubname::text, t.schemaname::text, t.tablename::text
  FROM pg_catalog.pg_publication_tables t
  JOIN pg_catalog.pg_publication p ON p.pubname = t.pubname AND NOT p.puballtables
UNION ALL
SELECT 'subscribed', '', n.nspname::text, c.relname::text
  FROM pg_catalog.pg_subscription_rel r
  JOIN pg_catalog.pg_class c ON c.oid = r.srrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
UNION ALL
SELECT 'event trigger', evtname::text, '', '' FROM pg_catalog.pg_event_trigger
 WHERE evtenabled <> 'D' AND evtevent <> 'table_rewrite'
UNION ALL
SELECT 'extension', extname::text, extversion, '' FROM pg_catalog.pg_extension
 ORDER BY 1, 2, 3, 4
"""
TABLES_OF_USERS = """
SELECT n.nspname::text AS schema, c.relname::text AS "table"
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_'
   AND n.nspname NOT IN ('information_schema', 'bucardo', 'multimaster')
"""
MAY_REFUSE_DDL = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_event_trigger
                WHERE evtenabled <> 'D' AND evtevent <> 'table_rewrite')
    OR EXISTS (SELECT FROM pg_catalog.pg_settings
                WHERE name = 'session_preload_libraries' AND setting <> '')
"""
TABLESPACES = """
SELECT s.spcname::text AS name, count(*) AS relations
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
 WHERE s.spcname !~ '^pg_'
 GROUP BY 1
"""
# A prepared transaction has no pid, and its virtual id changes with a restart: it is known by the
# lock on its own transaction id.
TRANSACTIONS = """
SELECT a.pid, '' AS gid, COALESCE(a.usename::text, '') AS "user",
       a.application_name AS application, COALESCE(a.state, '') AS state,
       extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::float8 AS age,
       ARRAY(SELECT DISTINCT l.relation::bigint FROM pg_catalog.pg_locks l
              WHERE l.pid = a.pid AND l.granted AND l.relation IS NOT NULL
                AND l.database = a.datid AND l.mode = ANY (%(modes)s)) AS locked
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = pg_catalog.current_database() AND a.backend_type = 'client backend'
   AND a.pid <> pg_catalog.pg_backend_pid() AND a.usename IS DISTINCT FROM %(user)s
   AND a.xact_start < pg_catalog.clock_timestamp() - %(age)s * interval '1 second'
UNION ALL
SELECT 0, p.gid, p.owner::text, '', 'prepared',
       extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared)::float8,
       ARRAY(SELECT DISTINCT l.relation::bigint FROM pg_catalog.pg_locks l
               JOIN pg_catalog.pg_locks own ON own.virtualtransaction = l.virtualtransaction
              WHERE own.locktype = 'transactionid' AND own.transactionid = p.transaction
                AND l.pid IS NULL AND l.relation IS NOT NULL AND l.mode = ANY (%(modes)s))
  FROM pg_catalog.pg_prepared_xacts p
 WHERE p.database = pg_catalog.current_database()
 ORDER BY age DESC
"""
# Bucardo's own list, and the names inside its triggers where that list is gone.
ENROLLED_BY_TRIGGER = """
SELECT pg_catalog.substring(t.tgname::text, '^bucardo_(?:kick|note_trunc)_(.+)$') AS sync,
       count(DISTINCT t.tgrelid) AS tables
  FROM pg_catalog.pg_trigger t
 WHERE NOT t.tgisinternal AND t.tgname ~ '^bucardo_(kick|note_trunc)_.'
 GROUP BY 1
"""
ENROLLED_BY_NAME = (
    "SELECT sync, count(DISTINCT tablename) AS tables FROM bucardo.bucardo_delta_names GROUP BY 1"
)
NOT_EMPTY_FILES = """
SELECT n.nspname::text AS schema, c.relname::text AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND pg_catalog.pg_relation_size(c.oid) > 0
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bucardo', 'multimaster')
"""
