-- options: 'proto_version','1','publication_names','golden'
-- since: 15
-- Updates that a row filter turns into inserts and deletes.
CREATE TABLE filtered (id int, code text NOT NULL, note text, PRIMARY KEY (id, code));
CREATE PUBLICATION golden FOR TABLE filtered WHERE (id > 10);
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

INSERT INTO filtered VALUES (1, 'x', 'unseen');
INSERT INTO filtered VALUES (11, 'y', 'seen');
UPDATE filtered SET id = 12 WHERE id = 1;
UPDATE filtered SET id = 2 WHERE id = 11;
UPDATE filtered SET note = 'both seen' WHERE id = 12;
