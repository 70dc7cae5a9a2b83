-- options: 'proto_version','1','publication_names','golden'
-- A partition whose replica identity is not its root's: the root's letter stands before what the
-- partition logged, so an old tuple under FULL has nulls that mean "not sent", or is missing.
CREATE TABLE root (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (100);
ALTER TABLE root REPLICA IDENTITY FULL;
CREATE PUBLICATION golden FOR TABLE root WITH (publish_via_partition_root = true);
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

INSERT INTO root VALUES (1, 'a');
UPDATE root SET id = 2;
UPDATE root SET note = 'b';
DELETE FROM root;
