-- options: 'proto_version','3','publication_names','golden'
-- since: 15
-- Prepared transactions, committed and rolled back, with an ordinary one in between.
CREATE TABLE t (id int PRIMARY KEY);
CREATE PUBLICATION golden FOR ALL TABLES;
SELECT pg_create_logical_replication_slot('golden', 'pgoutput', false, true);

BEGIN;
INSERT INTO t VALUES (1);
PREPARE TRANSACTION 'first gid';
INSERT INTO t VALUES (2);
COMMIT PREPARED 'first gid';
BEGIN;
INSERT INTO t VALUES (3);
PREPARE TRANSACTION 'second gid';
ROLLBACK PREPARED 'second gid';
