-- options: 'proto_version','1','publication_names','golden'
-- A relation that changes between two rows of one transaction and between transactions.
CREATE TABLE t (id int PRIMARY KEY, a text);
CREATE PUBLICATION golden FOR ALL TABLES;
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

INSERT INTO t VALUES (1, 'a');
BEGIN;
INSERT INTO t VALUES (2, 'b');
ALTER TABLE t ADD COLUMN c int DEFAULT 7;
INSERT INTO t VALUES (3, 'c', 8);
ALTER TABLE t RENAME COLUMN a TO renamed;
UPDATE t SET renamed = 'd' WHERE id = 1;
ALTER TABLE t REPLICA IDENTITY FULL;
UPDATE t SET renamed = 'e' WHERE id = 1;
ALTER TABLE t ALTER COLUMN c TYPE bigint;
COMMIT;
UPDATE t SET c = 9 WHERE id = 1;
ALTER TABLE t DROP COLUMN renamed;
CREATE SCHEMA s;
ALTER TABLE t SET SCHEMA s;
ALTER TABLE s.t RENAME TO u;
DELETE FROM s.u WHERE id = 1;
DROP TABLE s.u;
CREATE TABLE s.u (id int PRIMARY KEY);
INSERT INTO s.u VALUES (1);
