-- options: 'proto_version','1','publication_names','golden'
-- What is sent of the old row under each replica identity, with and without a change of the key.
CREATE TABLE by_default (id int PRIMARY KEY, note text);
CREATE TABLE by_index (id int, code text NOT NULL UNIQUE, note text);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code_key;
CREATE TABLE by_full (id int, note text);
ALTER TABLE by_full REPLICA IDENTITY FULL;
CREATE TABLE by_nothing (id int, note text);
ALTER TABLE by_nothing REPLICA IDENTITY NOTHING;
CREATE PUBLICATION golden FOR TABLE by_default, by_index, by_full;
CREATE PUBLICATION golden_insert FOR TABLE by_nothing WITH (publish = 'insert');
ALTER PUBLICATION golden ADD TABLE by_nothing;
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

BEGIN;
INSERT INTO by_default VALUES (1, 'a'), (2, NULL), (3, '');
UPDATE by_default SET note = 'b' WHERE id = 1;
UPDATE by_default SET note = note WHERE id = 2;
UPDATE by_default SET id = 10 WHERE id = 1;
DELETE FROM by_default WHERE id = 3;
COMMIT;
BEGIN;
INSERT INTO by_index VALUES (1, 'one', 'a');
UPDATE by_index SET note = 'b';
UPDATE by_index SET code = 'uno';
DELETE FROM by_index;
COMMIT;
BEGIN;
INSERT INTO by_full VALUES (1, 'a'), (1, 'a'), (NULL, NULL);
UPDATE by_full SET note = 'b' WHERE id = 1;
DELETE FROM by_full WHERE id IS NULL;
COMMIT;
INSERT INTO by_nothing VALUES (1, 'a');
