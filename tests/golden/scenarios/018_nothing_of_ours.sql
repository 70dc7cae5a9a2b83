-- options: 'proto_version','1','publication_names','golden'
-- Transactions without anything that is published: 14 sends their Begin and Commit, later ones do
-- not.
CREATE TABLE t (id int PRIMARY KEY);
CREATE TABLE other (id int);
CREATE PUBLICATION golden FOR TABLE t;
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

INSERT INTO t VALUES (1);
INSERT INTO other VALUES (1);
CREATE TABLE later (id int);
BEGIN;
INSERT INTO other VALUES (2);
INSERT INTO t VALUES (2);
COMMIT;
ALTER TABLE t ADD note text;
INSERT INTO t VALUES (3, 'a');
