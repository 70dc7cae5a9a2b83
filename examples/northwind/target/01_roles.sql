-- Role, database and schema of the target. Run by a superuser with psql, in any database.
-- Safe to run again. pgchronicle makes everything else.

SELECT 'CREATE ROLE analytics_user LOGIN PASSWORD ''1234'''
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'analytics_user') \gexec

SELECT 'CREATE DATABASE warehouse OWNER analytics_user'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'warehouse') \gexec

\connect warehouse
CREATE SCHEMA IF NOT EXISTS analytics AUTHORIZATION analytics_user;
