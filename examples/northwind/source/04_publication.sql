-- What pgchronicle needs: tables it may read, and a publication of all of them. Run by a superuser
-- in database "northwind", once the tables are there.

GRANT USAGE ON SCHEMA public TO northwind_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO northwind_reader;

SELECT 'CREATE PUBLICATION northwind FOR ALL TABLES'
WHERE NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'northwind') \gexec
