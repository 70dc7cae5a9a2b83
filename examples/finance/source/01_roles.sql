-- Roles and database of the finance system. Run by a superuser, in any database.
-- Safe to run again.

SELECT 'CREATE ROLE finance_db_user LOGIN PASSWORD ''1234'''
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'finance_db_user') \gexec

-- REPLICATION is an attribute: it is never inherited from a role that was granted, so it must
-- stand here. (CREATE USER cdc_user WITH ROLE cdc_replication does something else: it makes
-- cdc_replication a member of cdc_user.)
SELECT 'CREATE ROLE cdc_user LOGIN REPLICATION PASSWORD ''cdc_1234'''
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'cdc_user') \gexec

SELECT 'CREATE DATABASE finance_db OWNER finance_db_user'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'finance_db') \gexec

-- docker-entrypoint.sh creates the database before this script, owned by postgres.
ALTER DATABASE finance_db OWNER TO finance_db_user;
GRANT CONNECT ON DATABASE finance_db TO cdc_user;
