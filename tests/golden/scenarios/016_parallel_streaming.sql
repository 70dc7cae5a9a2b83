-- options: 'proto_version','4','publication_names','golden','streaming','parallel'
-- since: 16
-- Streamed transactions whose aborts say when and where they happened.
CREATE TABLE t (id int PRIMARY KEY);
CREATE TABLE filler (wide text);
ALTER TABLE filler ALTER wide SET STORAGE PLAIN;
CREATE PUBLICATION golden FOR TABLE t;
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

BEGIN;
INSERT INTO t VALUES (1), (2);
INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, 12);
SAVEPOINT a;
INSERT INTO t VALUES (3);
INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, 12);
ROLLBACK TO a;
INSERT INTO t VALUES (4);
COMMIT;
BEGIN;
INSERT INTO t VALUES (101);
INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, 12);
ROLLBACK;
INSERT INTO t VALUES (5);
