-- options: 'proto_version','1','publication_names','golden'
-- since: 15
-- A row filter turns an update into an insert whose value was never sent and is unchanged all the
-- same: what it is cannot be known from the stream.
CREATE TABLE filtered (id int PRIMARY KEY, note text);
ALTER TABLE filtered ALTER note SET STORAGE EXTERNAL;
CREATE PUBLICATION golden FOR TABLE filtered WHERE (id > 10);
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

INSERT INTO filtered VALUES (1, repeat('x', 2100));
UPDATE filtered SET id = 12;
