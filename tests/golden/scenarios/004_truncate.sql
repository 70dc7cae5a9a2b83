-- options: 'proto_version','1','publication_names','golden'
-- TRUNCATE of one table, of several, by cascade, and with its options; rows around it.
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id serial PRIMARY KEY, parent_id int REFERENCES parent);
CREATE TABLE other (id int PRIMARY KEY);
CREATE PUBLICATION golden FOR ALL TABLES;
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

INSERT INTO parent VALUES (1);
INSERT INTO child (parent_id) VALUES (1);
TRUNCATE other;
BEGIN;
INSERT INTO other VALUES (1);
TRUNCATE parent, other CASCADE;
INSERT INTO other VALUES (1);
TRUNCATE child, other RESTART IDENTITY;
INSERT INTO parent VALUES (2);
COMMIT;
