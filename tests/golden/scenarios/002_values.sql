-- options: 'proto_version','1','publication_names','golden'
-- Values of many types, and Type messages of those that are not built in.
CREATE SCHEMA "Odd ""Names""";
CREATE TYPE "Odd ""Names""".mood AS ENUM ('sad', 'it''s ok');
CREATE DOMAIN positive AS numeric(8,2) CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b text);
CREATE TABLE "Odd ""Names""".types (
    id bigint PRIMARY KEY, mood "Odd ""Names""".mood, amount positive, pair pair, moods "Odd ""Names""".mood[],
    flag boolean, f8 double precision, n numeric, b bytea, ts timestamptz, i interval, j jsonb, u uuid,
    a int[], c char(4), v varchar(7), "größe" text);
CREATE TABLE without_columns ();
CREATE PUBLICATION golden FOR ALL TABLES WITH (publish = 'insert');
SELECT pg_create_logical_replication_slot('golden', 'pgoutput');

INSERT INTO "Odd ""Names""".types VALUES (
    9223372036854775807, 'it''s ok', 1.50, '(1,"x,y")', '{sad}',
    true, '-infinity', 'NaN', '\x00ff10', '2026-11-21 11:55:29.123456+00', '1 year -2 days', '{"a": [1, null]}',
    '00000000-0000-0000-0000-000000000001', '{{1,2},{3,NULL}}', 'ab', 'größer', E'line\nbreak\t"\\');
INSERT INTO "Odd ""Names""".types (id) VALUES (-1);
INSERT INTO without_columns DEFAULT VALUES;
