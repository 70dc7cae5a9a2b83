-- options: 'proto_version','1','publication_names','golden','messages','true'
-- A transaction from elsewhere, and logical messages inside and outside of transactions.
CREATE TABLE t (id int PRIMARY KEY);
CREATE PUBLICATION golden FOR ALL TABLES;
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

SELECT pg_replication_origin_create('north');
SELECT pg_replication_origin_session_setup('north');
BEGIN;
SELECT pg_replication_origin_xact_setup('0/1234', '2026-11-21 11:55:29.5+00');
INSERT INTO t VALUES (1);
COMMIT;
SELECT pg_replication_origin_session_reset();
SELECT pg_logical_emit_message(false, 'outside', 'free');
BEGIN;
INSERT INTO t VALUES (2);
SELECT pg_logical_emit_message(true, 'inside', E'\\x00ff'::bytea);
COMMIT;
SELECT pg_logical_emit_message(true, '', '');
SELECT pg_replication_origin_drop('north');
