-- options: 'proto_version','1','publication_names','golden'
-- Rows of partitions under the name of their root, and rows that move between partitions.
CREATE TABLE root (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (100);
CREATE TABLE high (note text, id int NOT NULL PRIMARY KEY);
ALTER TABLE root ATTACH PARTITION high FOR VALUES FROM (100) TO (200);
CREATE PUBLICATION golden FOR TABLE root WITH (publish_via_partition_root = true);
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

INSERT INTO root VALUES (1, 'a'), (101, 'b');
UPDATE root SET note = 'c' WHERE id = 101;
UPDATE root SET id = 102 WHERE id = 1;
DELETE FROM root WHERE id = 102;
TRUNCATE root;
