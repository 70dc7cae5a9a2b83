-- options: 'proto_version','2','publication_names','golden','streaming','on'
-- Transactions in progress, sent in segments. The wide column fills the server's memory and is not
-- published, so the streams stay small.
CREATE TABLE t (id int PRIMARY KEY, wide text);
ALTER TABLE t ALTER wide SET STORAGE PLAIN;
CREATE PUBLICATION golden FOR TABLE t (id) WITH (publish = 'insert, truncate');
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

BEGIN;
INSERT INTO t SELECT n, repeat('x', 7000) FROM generate_series(1, 12) n;
SAVEPOINT a;
INSERT INTO t SELECT n, repeat('x', 7000) FROM generate_series(13, 24) n;
ROLLBACK TO a;
INSERT INTO t SELECT n, repeat('x', 7000) FROM generate_series(25, 36) n;
TRUNCATE t;
COMMIT;
BEGIN;
INSERT INTO t SELECT n, repeat('x', 7000) FROM generate_series(101, 112) n;
ROLLBACK;
INSERT INTO t VALUES (1, 'small');
