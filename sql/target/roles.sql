-- The roles of the target, with the least rights that do. Run with psql, by a superuser, in the
-- target database, before the first run. Safe to run again; run it once for each schema that the
-- history goes to.
--
--   psql -v writer=pgchronicle -v operator=pgchronicle_operator -v reader=pgchronicle_reader \
--        -v schema=analytics -f roles.sql
--
-- Then give each a password that is never typed into a statement: \password pgchronicle
--
--   writer    "run". It owns both schemas, because it makes the history tables and alters them by
--             itself when a source table changes its shape.
--   operator  "repair", "bookmark" and "replay", by a person. It acts as the writer, so that
--             whatever it makes belongs to the writer; pgchronicle.audit tells the two apart by
--             their logins.
--   reader    reports, analysts, "status", "history", "verify". It reads, and nothing else.
--
-- Where target.schema holds {schema}, the history's schemas cannot be known beforehand: with
-- -v create_schemas=yes the writer makes them itself.
--
-- Not granted, and never needed: superuser, CREATEROLE, CREATEDB, REPLICATION, BYPASSRLS, membership
-- in any predefined role, any right on a schema that is not the history's. An owner may always
-- DELETE and TRUNCATE; docs/operations.md tells when "run" does.

\if :{?writer} \else \set writer pgchronicle \endif
\if :{?operator} \else \set operator pgchronicle_operator \endif
\if :{?reader} \else \set reader pgchronicle_reader \endif
\if :{?schema} \else \set schema analytics \endif

SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY[:'writer', :'operator', :'reader']) AS wanted(name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE :"writer" LOGIN;
ALTER ROLE :"operator" LOGIN;
ALTER ROLE :"reader" LOGIN;

SELECT format('GRANT CONNECT ON DATABASE %I TO %I, %I, %I',
              current_database(), :'writer', :'operator', :'reader') \gexec
-- Rows that the target completes (unchanged TOAST) are staged in temporary tables.
SELECT format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), :'writer') \gexec

SELECT format('CREATE SCHEMA %I', name) FROM unnest(ARRAY['pgchronicle', :'schema']) AS wanted(name)
WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = name) \gexec
ALTER SCHEMA pgchronicle OWNER TO :"writer";
ALTER SCHEMA :"schema" OWNER TO :"writer";

GRANT :"writer" TO :"operator";
SELECT format('ALTER ROLE %I IN DATABASE %I SET role = %I',
              :'operator', current_database(), :'writer') \gexec

GRANT USAGE ON SCHEMA pgchronicle TO :"reader";
GRANT USAGE ON SCHEMA :"schema" TO :"reader";
GRANT SELECT ON ALL TABLES IN SCHEMA pgchronicle TO :"reader";
GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO :"reader";
-- For tables and views to come.
ALTER DEFAULT PRIVILEGES FOR ROLE :"writer" IN SCHEMA pgchronicle GRANT SELECT ON TABLES TO :"reader";
ALTER DEFAULT PRIVILEGES FOR ROLE :"writer" IN SCHEMA :"schema" GRANT SELECT ON TABLES TO :"reader";
-- A forgotten query must not keep dead rows in the history's tables.
SELECT format('ALTER ROLE %I IN DATABASE %I SET %s', :'reader', current_database(), setting)
FROM unnest(ARRAY['default_transaction_read_only = on', 'statement_timeout = ''60s''',
                  'idle_in_transaction_session_timeout = ''60s''']) AS wanted(setting) \gexec

\if :{?create_schemas}
SELECT format('GRANT CREATE ON DATABASE %I TO %I', current_database(), :'writer') \gexec
ALTER DEFAULT PRIVILEGES FOR ROLE :"writer" GRANT USAGE ON SCHEMAS TO :"reader";
ALTER DEFAULT PRIVILEGES FOR ROLE :"writer" GRANT SELECT ON TABLES TO :"reader";
\endif
