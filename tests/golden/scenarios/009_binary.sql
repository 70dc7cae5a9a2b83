-- options: 'proto_version','1','publication_names','golden','binary','true'
-- The binary option: the type's send function where it has one, else text.
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE t (id bigint PRIMARY KEY, n numeric(8,2), note text, ts timestamptz, mood mood, a int[], acl aclitem);
CREATE PUBLICATION golden FOR ALL TABLES;
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

INSERT INTO t VALUES (1, 12.50, 'größe', '2000-01-01 00:00:01+00', 'happy', '{1,NULL}', NULL);
UPDATE t SET acl = makeaclitem(10, 10, 'SELECT', false), n = NULL;
DELETE FROM t;
