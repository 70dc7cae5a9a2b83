-- options: 'proto_version','3','publication_names','golden','streaming','on'
-- since: 15
-- A prepared transaction that was streamed.
CREATE TABLE t (id int PRIMARY KEY, wide text);
ALTER TABLE t ALTER wide SET STORAGE PLAIN;
CREATE PUBLICATION golden FOR TABLE t (id) WITH (publish = 'insert');
SELECT pg_create_logical_replication_slot('golden', 'pgoutput', false, true);

BEGIN;
INSERT INTO t SELECT n, repeat('x', 7000) FROM generate_series(1, 12) n;
PREPARE TRANSACTION 'wide gid';
COMMIT PREPARED 'wide gid';
