-- options: 'proto_version','1','publication_names','golden'
-- What was rolled back to a savepoint never shows, nor does an aborted transaction.
CREATE TABLE t (id int PRIMARY KEY, note text);
CREATE PUBLICATION golden FOR ALL TABLES;
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

BEGIN;
INSERT INTO t VALUES (1, 'kept');
SAVEPOINT a;
INSERT INTO t VALUES (2, 'gone');
ROLLBACK TO a;
INSERT INTO t VALUES (3, 'kept');
SAVEPOINT b;
UPDATE t SET note = 'kept too' WHERE id = 1;
RELEASE b;
COMMIT;
BEGIN;
INSERT INTO t VALUES (4, 'gone');
ROLLBACK;
INSERT INTO t VALUES (5, 'a') ON CONFLICT (id) DO NOTHING;
INSERT INTO t VALUES (5, 'b') ON CONFLICT (id) DO UPDATE SET note = excluded.note;
