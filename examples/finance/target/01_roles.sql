-- Role, database and schema of the target. Run by a superuser with psql, in any database.
-- Safe to run again. pgchronicle creates the history tables, and its own schema "pgchronicle",
-- as analytics_user.

SELECT 'CREATE ROLE analytics_user LOGIN PASSWORD ''1234'''
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'analytics_user') \gexec

SELECT 'CREATE DATABASE analytics_db OWNER analytics_user'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'analytics_db') \gexec

-- docker-entrypoint.sh creates the database before this script, owned by postgres.
ALTER DATABASE analytics_db OWNER TO analytics_user;

\connect analytics_db
CREATE SCHEMA IF NOT EXISTS analytics AUTHORIZATION analytics_user;
