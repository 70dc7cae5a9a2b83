-- Role, database and schemas of the target. Run by a superuser with psql. Safe to run again.

SELECT 'CREATE ROLE analytics_user LOGIN PASSWORD ''1234'''
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'analytics_user') \gexec

SELECT 'CREATE DATABASE analytics_db OWNER analytics_user'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'analytics_db') \gexec
