-- options: 'proto_version','4','publication_names','golden'
-- since: 18
-- Stored generated columns, which are columns as others where the publication says so; virtual ones
-- are never sent.
CREATE TABLE t (
    id int PRIMARY KEY, v int, twice int GENERATED ALWAYS AS (v * 2) STORED,
    thrice int GENERATED ALWAYS AS (v * 3) VIRTUAL, note text);
CREATE TABLE whole (id int, next int GENERATED ALWAYS AS (id + 1) STORED);
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE PUBLICATION golden FOR ALL TABLES WITH (publish_generated_columns = stored);
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

INSERT INTO t VALUES (1, 10, DEFAULT, DEFAULT, 'a');
UPDATE t SET v = 11;
INSERT INTO whole VALUES (1);
UPDATE whole SET id = 2;
DELETE FROM whole;
DELETE FROM t;
