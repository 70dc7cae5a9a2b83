-- Tables of a schema whose updates and deletes could not be published, and the statements that
-- mend it. Only prints them: FULL writes whole old rows to the WAL, a primary key does not.
--
--   psql -v schema=operations -f 03_replica_identity.sql

\if :{?schema} \else \set schema public \endif

SELECT c.oid::regclass AS "table",
       CASE WHEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary
                         AND i.indimmediate)
            THEN format('ALTER TABLE %s REPLICA IDENTITY DEFAULT;', c.oid::regclass)
            ELSE format('ALTER TABLE %s REPLICA IDENTITY FULL;', c.oid::regclass)
       END AS mended_by
FROM pg_class c
WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = :'schema')
  AND c.relkind IN ('r', 'p')
  AND NOT CASE c.relreplident
      WHEN 'f' THEN true
      WHEN 'i' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)
      WHEN 'd' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary
                            AND i.indimmediate)
      ELSE false
  END
ORDER BY 1;
