-- options: 'proto_version','1','publication_names','golden'
-- Values stored out of line: sent when written, else unchanged; old tuples have them in full.
CREATE TABLE toasted (id int PRIMARY KEY, note text, big text);
CREATE TABLE toasted_full (id int PRIMARY KEY, note text, big text);
CREATE TABLE toasted_key (big text PRIMARY KEY, note text);
ALTER TABLE toasted ALTER big SET STORAGE EXTERNAL;
ALTER TABLE toasted_full ALTER big SET STORAGE EXTERNAL;
ALTER TABLE toasted_key ALTER big SET STORAGE EXTERNAL;
ALTER TABLE toasted_full REPLICA IDENTITY FULL;
CREATE PUBLICATION golden FOR ALL TABLES;
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

INSERT INTO toasted VALUES (1, 'a', repeat('x', 2100));
UPDATE toasted SET note = 'b';
UPDATE toasted SET id = 2;
UPDATE toasted SET big = repeat('y', 2100);
DELETE FROM toasted;
INSERT INTO toasted_full VALUES (1, 'a', repeat('x', 2100));
UPDATE toasted_full SET note = 'b';
DELETE FROM toasted_full;
INSERT INTO toasted_key VALUES (repeat('k', 2100), 'a');
UPDATE toasted_key SET note = 'b';
DELETE FROM toasted_key;
