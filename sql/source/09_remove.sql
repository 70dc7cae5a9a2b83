-- Takes back what roles.sql and 02 made. Run with psql, by a superuser, in the source database, when
-- pgchronicle is stopped for good: the history cannot be continued afterwards.
--
--   psql -v role=pgchronicle -v publication=pgchronicle_publication -v slot=pgchronicle \
--        -f 09_remove.sql
--
-- A slot that nobody reads keeps WAL until the disk is full: do not leave it behind.

\if :{?role} \else \set role pgchronicle \endif
\if :{?publication} \else \set publication pgchronicle_publication \endif
\if :{?slot} \else \set slot pgchronicle \endif

SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = :'slot';
DROP PUBLICATION IF EXISTS :"publication";
SELECT format('DROP OWNED BY %I', rolname) FROM pg_roles WHERE rolname = :'role' \gexec
DROP ROLE IF EXISTS :"role";
