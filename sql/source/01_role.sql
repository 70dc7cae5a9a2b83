-- The role that pgchronicle connects to the source as, with the least rights that do.
-- Run with psql, by a superuser, in the source database. Safe to run again.
--
--   psql -v role=pgchronicle -v schema=operations -f 01_role.sql
--
-- Then give it a password that is never typed into a statement: \password pgchronicle

\if :{?role} \else \set role pgchronicle \endif
\if :{?schema} \else \set schema public \endif

-- REPLICATION is an attribute: it is never inherited from a role that was granted. CREATE USER x
-- WITH ROLE y does something else, too: it makes y a member of x.
SELECT format('CREATE ROLE %I LOGIN REPLICATION', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" LOGIN REPLICATION;

SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec

-- Only the initial copy reads tables. With "snapshot: never" the rest is not needed.
GRANT USAGE ON SCHEMA :"schema" TO :"role";
GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO :"role";

-- For tables to come, by whoever owns those that are there.
SELECT DISTINCT format(
    'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON TABLES TO %I',
    pg_get_userbyid(relowner), :'schema', :'role'
)
FROM pg_class
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = :'schema')
  AND relkind IN ('r', 'p') \gexec
