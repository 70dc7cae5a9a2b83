-- options: 'proto_version','2','publication_names','golden','streaming','on'
-- Transactions in progress, sent in segments. The rows of another table fill the server's memory
-- and are not published, so the streams stay small.
CREATE TABLE t (id int PRIMARY KEY);
CREATE TABLE filler (wide text);
ALTER TABLE filler ALTER wide SET STORAGE PLAIN;
CREATE PUBLICATION golden FOR TABLE t WITH (publish = 'insert, truncate');
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

BEGIN;
INSERT INTO t VALUES (1), (2);
INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, 12);
SAVEPOINT a;
INSERT INTO t VALUES (3);
INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, 12);
ROLLBACK TO a;
INSERT INTO t VALUES (4), (5);
INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, 12);
INSERT INTO t VALUES (6);
TRUNCATE t;
COMMIT;
BEGIN;
INSERT INTO t VALUES (101);
INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, 12);
ROLLBACK;
INSERT INTO t VALUES (1);
