-- Role and database of the source. Run by a superuser, in any database. Safe to run again.

SELECT 'CREATE ROLE northwind_reader LOGIN REPLICATION PASSWORD ''1234'''
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'northwind_reader') \gexec

SELECT 'CREATE DATABASE northwind'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'northwind') \gexec
