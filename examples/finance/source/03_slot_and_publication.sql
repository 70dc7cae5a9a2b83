-- The slot, then the publication, both before the first row. Run by a superuser in finance_db
-- (FOR ALL TABLES needs one, even where the database's owner asks). Safe to run again.
--
-- No row may be written between the two: a change that is decoded as of a moment when the
-- publication did not exist cannot be read, and everything behind it waits.
-- `pgchronicle check` recognises that state.

SELECT pg_create_logical_replication_slot('cdc_pgoutput', 'pgoutput')
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'cdc_pgoutput');

SELECT 'CREATE PUBLICATION cdc_publication FOR ALL TABLES'
WHERE NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'cdc_publication') \gexec
