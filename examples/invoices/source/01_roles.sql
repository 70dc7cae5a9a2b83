-- Roles and database of the source. Run by a superuser with psql. Safe to run again.

SELECT format('CREATE ROLE %I LOGIN %s PASSWORD %L', name, option, password)
FROM (VALUES ('invoices_owner', '', '1234'), ('cdc_user', 'REPLICATION', 'cdc_1234'))
    AS wanted(name, option, password)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

SELECT 'CREATE DATABASE invoices_db OWNER invoices_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'invoices_db') \gexec
