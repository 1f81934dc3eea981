-- What the catalogs say of a schema that has nothing to do with how expressions are printed.
-- Columns: schema, kind, name, detail.
WITH mine AS (
    SELECT n.oid, n.nspname FROM pg_namespace n
     WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'multimaster', 'bucardo')
       AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass
                          AND d.objid = n.oid AND d.deptype = 'e')
), members AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), rel AS (
    SELECT c.*, m.nspname FROM pg_class c JOIN mine m ON m.oid = c.relnamespace
     WHERE ('pg_class'::regclass, c.oid) NOT IN (TABLE members)
       -- pg_dump leaves out invalid indexes, and those of extensions' tables come with them.
       AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = c.oid AND c.relkind = 'i' AND
           (NOT i.indisvalid OR ('pg_class'::regclass, i.indrelid) IN (TABLE members)))
), func AS (
    SELECT p.*, m.nspname FROM pg_proc p JOIN mine m ON m.oid = p.pronamespace
     WHERE ('pg_proc'::regclass, p.oid) NOT IN (TABLE members)
), typ AS (
    SELECT y.*, m.nspname FROM pg_type y JOIN mine m ON m.oid = y.typnamespace
     WHERE ('pg_type'::regclass, y.oid) NOT IN (TABLE members)
), ours (schema, kind, name, detail) AS (
    SELECT nspname, 'relation', relname::text,
           concat_ws(' ', relkind, relpersistence, relreplident, relrowsecurity, relforcerowsecurity,
                     relispartition, relispopulated, reltuples > 0 AND relkind = 'x',
                     (SELECT amname FROM pg_am a WHERE a.oid = relam),
                     array_to_string(ARRAY(SELECT unnest(reloptions) ORDER BY 1), ','),
                     pg_get_userbyid(relowner))
      FROM rel
    UNION ALL
    SELECT nspname, 'column', format('%s.%s', relname, attname),
           concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, atthasdef, attidentity,
                     attgenerated, attcollation::regcollation, attstorage, attcompression,
                     coalesce(attstattarget, -1),
                     array_to_string(ARRAY(SELECT o FROM unnest(attoptions) o
                                            WHERE o NOT LIKE 'pg_attver=%' ORDER BY 1), ','))
      FROM rel, LATERAL (SELECT a.* FROM pg_attribute a
                          WHERE a.attrelid = rel.oid AND a.attnum > 0 AND NOT attisdropped) a
    UNION ALL
    SELECT m.nspname, 'constraint', format('%s %s %s', conrelid::regclass, contypid::regtype, conname),
           concat_ws(' ', contype, convalidated, condeferrable, condeferred, contype = 'c' AND connoinherit,
                     confupdtype, confdeltype, confmatchtype)
      FROM pg_constraint k JOIN mine m ON m.oid = k.connamespace
     WHERE contype <> 'n' AND ('pg_class'::regclass, conrelid) NOT IN (TABLE members)
    UNION ALL
    SELECT nspname, 'index', relname::text,
           concat_ws(' ', indisunique, indisprimary, indisexclusion, indimmediate, indisclustered,
                     indisvalid, indisready, indisreplident, indnkeyatts, indnatts,
                     indoption::text, indkey::text = '0')
      FROM rel JOIN pg_index i ON i.indexrelid = rel.oid
    UNION ALL
    SELECT nspname, 'trigger', format('%s %s', relname, tgname),
           concat_ws(' ', tgenabled, tgtype, tgdeferrable, tginitdeferred, tgfoid::regproc,
                     tgparentid <> 0, tgqual IS NOT NULL, tgoldtable, tgnewtable)
      FROM rel JOIN pg_trigger t ON t.tgrelid = rel.oid WHERE NOT tgisinternal
    UNION ALL
    SELECT nspname, 'rule', format('%s %s', relname, rulename),
           concat_ws(' ', ev_enabled, ev_type, is_instead)
      FROM rel JOIN pg_rewrite w ON w.ev_class = rel.oid
    UNION ALL
    SELECT nspname, 'policy', format('%s %s', relname, polname),
           concat_ws(' ', polcmd, polpermissive, polqual IS NULL, polwithcheck IS NULL)
      FROM rel JOIN pg_policy l ON l.polrelid = rel.oid
    UNION ALL
    SELECT nspname, 'function', func.oid::regprocedure::text,
           concat_ws(' ', prokind, prosecdef, proleakproof, proisstrict, proretset, provolatile,
                     proparallel, procost, prorows, prosupport, array_to_string(proconfig, ','))
      FROM func
    UNION ALL
    SELECT nspname, 'type', typname::text,
           concat_ws(' ', typtype, typnotnull, typcollation::regcollation, typdefault IS NULL)
      FROM typ WHERE typtype <> 'c' AND typcategory <> 'A'
    UNION ALL
    SELECT nspname, 'label', format('%s %s', typname, enumlabel),
           rank() OVER (PARTITION BY typ.oid ORDER BY enumsortorder)::text
      FROM typ JOIN pg_enum e ON e.enumtypid = typ.oid
    UNION ALL
    SELECT nspname, 'sequence', relname::text,
           concat_ws(' ', seqtypid::regtype, seqmin, seqmax, seqcache, seqcycle)
      FROM rel JOIN pg_sequence q ON q.seqrelid = rel.oid
    UNION ALL
    SELECT nspname, 'parent', relname::text, inhparent::regclass::text
      FROM rel JOIN pg_inherits h ON h.inhrelid = rel.oid
    UNION ALL
    SELECT m.nspname, 'statistics', stxname::text, stxkind::text
      FROM pg_statistic_ext x JOIN mine m ON m.oid = x.stxnamespace
    UNION ALL
    SELECT nspname, 'comment', coalesce(relname || '.' || d.objsubid, ''), md5(description)
      FROM rel JOIN pg_description d ON d.objoid = rel.oid AND d.classoid = 'pg_class'::regclass
    UNION ALL
    SELECT nspname, 'grant', relname::text,
           concat_ws(' ', CASE grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(grantee) END,
                     privilege_type, is_grantable)
      FROM rel, aclexplode(relacl) WHERE privilege_type <> 'MAINTAIN'
    UNION ALL
    SELECT '', 'extension', extname::text, n.nspname
      FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    UNION ALL
    SELECT '', 'event trigger', evtname::text, concat_ws(' ', evtevent, evtenabled) FROM pg_event_trigger
    UNION ALL
    SELECT '', 'cast', format('%s %s', castsource::regtype, casttarget::regtype),
           concat_ws(' ', castcontext, castmethod)
      FROM pg_cast WHERE oid >= 16384 AND ('pg_cast'::regclass, oid) NOT IN (TABLE members)
)
SELECT schema::text, kind, name, coalesce(detail, '') FROM ours ORDER BY 1, 2, 3, 4
