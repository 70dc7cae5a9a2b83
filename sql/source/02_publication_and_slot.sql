-- What the source publishes, then the slot that keeps it for us. Run with psql, by a superuser
-- (publishing a whole schema takes one), in the source database. Safe to run again.
--
--   psql -v publication=pgchronicle_publication -v slot=pgchronicle -v schema=operations \
--        -f 02_publication_and_slot.sql
--
-- In this order: a change that waits in the slot but was made before the publication existed can
-- never be read, and everything behind it waits. ("pgchronicle check" recognises that state,
-- "pgchronicle repair skip" passes it.) wal_level must be logical.

\if :{?publication} \else \set publication pgchronicle_publication \endif
\if :{?slot} \else \set slot pgchronicle \endif
\if :{?schema} \else \set schema public \endif

SELECT current_setting('server_version_num')::int >= 150000 AS publishes_schemas \gset

-- All operations, which is the default: an operation that is left out would be missing from the
-- history silently.
\if :publishes_schemas
SELECT format('CREATE PUBLICATION %I FOR TABLES IN SCHEMA %I', :'publication', :'schema')
WHERE NOT EXISTS (SELECT FROM pg_publication WHERE pubname = :'publication') \gexec
\else
SELECT format('CREATE PUBLICATION %I FOR ALL TABLES', :'publication')
WHERE NOT EXISTS (SELECT FROM pg_publication WHERE pubname = :'publication') \gexec
\endif

SELECT pg_create_logical_replication_slot(:'slot', 'pgoutput')
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = :'slot');
