-- The role that pgchronicle connects to the source as, with the least rights that do. Run with
-- psql, by a superuser, in the source database. Safe to run again; run it again when a table has
-- joined the publication.
--
--   psql -v role=pgchronicle -v publication=pgchronicle_publication -f roles.sql
--   psql -v role=pgchronicle -v schema=operations -f roles.sql
--
-- The first grants what is published, table by table. The second grants all tables of a schema,
-- those to come included: for a publication FOR TABLES IN SCHEMA or FOR ALL TABLES. Both may be
-- given. Then give the role a password that is never typed into a statement: \password pgchronicle
--
-- Not granted, and never needed: superuser, pg_monitor, the right to write or create anything, any
-- right on tables that are not published.

\if :{?role} \else \set role pgchronicle \endif
\if :{?publication} \else \set publication pgchronicle_publication \endif

-- REPLICATION is an attribute: it is never inherited from a role that was granted. CREATE USER x
-- WITH ROLE y does something else, too: it makes y a member of x.
SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" LOGIN REPLICATION;

SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec

-- Only the initial copy, and comparisons with the source, read tables. With "snapshot: never" the
-- rest is not needed.
SELECT DISTINCT format('GRANT USAGE ON SCHEMA %I TO %I', schemaname, :'role')
FROM pg_publication_tables WHERE pubname = :'publication' \gexec
SELECT format('GRANT SELECT ON %I.%I TO %I', schemaname, tablename, :'role')
FROM pg_publication_tables WHERE pubname = :'publication' \gexec

\if :{?schema}
GRANT USAGE ON SCHEMA :"schema" TO :"role";
GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO :"role";

-- For tables to come, by whoever owns the schema or a table that is there.
SELECT format(
    'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON TABLES TO %I',
    pg_get_userbyid(owner), :'schema', :'role'
)
FROM (
    SELECT nspowner FROM pg_namespace WHERE nspname = :'schema'
    UNION
    SELECT relowner FROM pg_class
    WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = :'schema')
      AND relkind IN ('r', 'p')
) AS owners(owner) \gexec
\endif
