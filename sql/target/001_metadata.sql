-- What pgchronicle knows of itself, in the target. Run by every command that may write, under a
-- lock; each statement can be run again.
-- Looked for first, since IF NOT EXISTS asks for CREATE on the database even where it is there.
DO $$ BEGIN
    IF to_regnamespace('pgchronicle') IS NULL THEN
        CREATE SCHEMA pgchronicle;
    END IF;
END $$;

-- Up to where the history is complete. One row a pipeline, written in the transaction that writes
-- the rows it speaks of.
CREATE TABLE IF NOT EXISTS pgchronicle.checkpoint (
    pipeline          text PRIMARY KEY,
    system_identifier text NOT NULL,
    timeline          integer NOT NULL,
    database_name     text NOT NULL,
    slot              text NOT NULL,
    publications      text[] NOT NULL,
    slot_start        pg_lsn NOT NULL,   -- the slot's confirmed position at the first run
    slot_start_time   timestamptz,       -- recorded time of the first transaction after it
    last_commit_end   pg_lsn NOT NULL,   -- end of the last source transaction stored here
    position          pg_lsn NOT NULL,   -- at or after it: nothing of ours is missing up to here
    last_commit_time  timestamptz,       -- the clamp: recorded times never go below it
    updated_at        timestamptz NOT NULL DEFAULT now()
);

-- Which source table goes where, and since when its history is complete. A name stands for one
-- relation after the other: begins_at is where the present one (relation_id) took it over.
CREATE TABLE IF NOT EXISTS pgchronicle.table_state (
    pipeline        text NOT NULL,
    source_schema   text NOT NULL,
    source_table    text NOT NULL,
    relation_id     oid NOT NULL,
    target_schema   text NOT NULL,
    target_table    text NOT NULL,
    row_key         text[] NOT NULL,     -- columns of the history table; empty: the whole row
    state           text NOT NULL CHECK (state IN ('pending', 'copied', 'ended')),
    -- The rows are to be compared with the source once more, and differences become versions.
    compare_as      text CHECK (compare_as IN ('RECONCILE', 'REWRITE')),
    begins_at       pg_lsn NOT NULL,
    membership      text NOT NULL,       -- how it was published; another value: not always, since
    source_file     oid,                 -- its relfilenode; NULL: to be learnt again
    seam            pg_lsn,
    seam_time       timestamptz,
    consistent_from pg_lsn,
    rows_copied     bigint,
    copied_at       timestamptz,
    compared        pg_lsn,              -- seam of the last comparison
    -- Its rows come from files, and no pipeline writes it; relation_id is 0 then.
    imported        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (pipeline, source_schema, source_table)
);
-- Never two pipelines, or two tables, into one history table.
-- Looked for first, since IF NOT EXISTS waits for whoever is writing.
DO $$ BEGIN
    IF to_regclass('pgchronicle.table_state_target') IS NULL THEN
        CREATE UNIQUE INDEX table_state_target
            ON pgchronicle.table_state (target_schema, target_table) WHERE state <> 'ended';
    END IF;
END $$;

-- Each shape that a source table has had.
CREATE TABLE IF NOT EXISTS pgchronicle.relation_shape (
    pipeline         text NOT NULL,
    relation_id      oid NOT NULL,
    source_schema    text NOT NULL,
    source_table     text NOT NULL,
    lsn              pg_lsn NOT NULL,
    columns          jsonb NOT NULL,
    row_key          text[] NOT NULL,
    replica_identity text NOT NULL,
    filled           jsonb,              -- columns with the value that old rows had without WAL
    earlier          jsonb,              -- shapes that the same transaction had before this one
    PRIMARY KEY (pipeline, relation_id, lsn)
);

-- LSN ranges in which history is known to be incomplete. Where the reason is 'not_published' or
-- 'quarantined', to_lsn is known when the range has ended (repaired_at); it has not until then.
CREATE TABLE IF NOT EXISTS pgchronicle.gap (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline      text NOT NULL,
    source_schema text,                  -- NULL with source_table: every table
    source_table  text,
    from_lsn      pg_lsn NOT NULL,
    to_lsn        pg_lsn NOT NULL,
    reason        text NOT NULL,
    detail        text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    repaired_at   timestamptz,           -- from to_lsn on the history is complete again
    accepted_at   timestamptz            -- an operator knows of it
);

-- Tables to which something could not be applied, so that nothing is applied to them any more. The
-- history is what it was at from_lsn. Once released, the table is compared with the source, and the
-- row goes.
CREATE TABLE IF NOT EXISTS pgchronicle.quarantine (
    pipeline       text NOT NULL,
    source_schema  text NOT NULL,
    source_table   text NOT NULL,
    relation_id    oid NOT NULL,
    from_lsn       pg_lsn NOT NULL,
    from_time      timestamptz,          -- recorded time of the last transaction before
    message        text NOT NULL,        -- the error: as the log says it
    detail         text,
    hint           text,
    quarantined_at timestamptz NOT NULL DEFAULT now(),
    released_at    timestamptz,
    PRIMARY KEY (pipeline, source_schema, source_table)
);

-- What operators decided, and what the program did because its configuration says so.
CREATE TABLE IF NOT EXISTS pgchronicle.audit (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline text NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    who      text NOT NULL,
    action   text NOT NULL,
    reason   text NOT NULL,
    detail   text,
    from_lsn pg_lsn,
    to_lsn   pg_lsn
);

-- Values of versions made below a table's seam that the stream did not send and that the copy may
-- still know: unchanged TOAST, and all but the key of a row deleted unseen.
CREATE TABLE IF NOT EXISTS pgchronicle.pending_value (
    pipeline      text NOT NULL,
    target_schema text NOT NULL,
    target_table  text NOT NULL,
    row_key       text[] NOT NULL,       -- text form of the key columns, in key order
    lsn_from      pg_lsn NOT NULL,
    change_seq    bigint NOT NULL,
    columns       text[] NOT NULL
);
DO $$ BEGIN
    IF to_regclass('pgchronicle.pending_value_version') IS NULL THEN
        CREATE INDEX pending_value_version ON pgchronicle.pending_value (lsn_from, change_seq);
    END IF;
END $$;

-- LSNs that are kept replayable: each has a copy of the slot on the source. Without a position it was
-- begun and not finished.
CREATE TABLE IF NOT EXISTS pgchronicle.bookmark (
    pipeline         text NOT NULL,
    name             text NOT NULL,
    slot             text NOT NULL,
    position         pg_lsn,             -- of the checkpoint when it was made, as are these:
    last_commit_end  pg_lsn,
    last_commit_time timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline, name)
);

-- A replay that is under way: the checkpoint was set back to from_lsn, and the history is streamed
-- again from a slot of its own until until_lsn. Without from_lsn nothing was set back yet.
CREATE TABLE IF NOT EXISTS pgchronicle.replay (
    pipeline  text PRIMARY KEY,
    slot      text NOT NULL,
    from_lsn  pg_lsn,
    until_lsn pg_lsn,
    begun_at  timestamptz NOT NULL DEFAULT now()
);

-- Of the shapes that a replay will meet again, what the source's catalog may not tell any more.
CREATE TABLE IF NOT EXISTS pgchronicle.replay_shape (
    pipeline    text NOT NULL,
    relation_id oid NOT NULL,
    lsn         pg_lsn NOT NULL,
    columns     jsonb NOT NULL,
    filled      jsonb,
    earlier     jsonb,
    PRIMARY KEY (pipeline, relation_id, lsn)
);

-- Up to where a follower has seen the changes: lsn/seq, as "pgchronicle watch" writes it. Whoever
-- follows under a name holds an advisory lock of that name.
CREATE TABLE IF NOT EXISTS pgchronicle.cursor (
    pipeline   text NOT NULL,
    name       text NOT NULL,
    position   text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (pipeline, name)
);

-- When the checkpoint stood where: what acknowledge.hold_back goes by when it is a time.
CREATE TABLE IF NOT EXISTS pgchronicle.position_mark (
    pipeline  text NOT NULL,
    position  pg_lsn NOT NULL,
    stored_at timestamptz NOT NULL,
    PRIMARY KEY (pipeline, position)
);

-- Files whose rows were made versions of an imported table ("pgchronicle import"), all at one LSN and
-- one recorded time. Their change_seq is (id << 32) + ordinal: after every change of the transaction
-- that ends at that LSN, and of the imports before.
CREATE TABLE IF NOT EXISTS pgchronicle.import (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline      text NOT NULL,
    source_schema text NOT NULL,
    source_table  text NOT NULL,
    day           date,                  -- that the file was said to be of
    file          text NOT NULL,         -- its name, without folders
    digest        text NOT NULL,         -- SHA-256 of its text, not compressed
    row_count     bigint NOT NULL,
    inserted      bigint NOT NULL,
    updated       bigint NOT NULL,
    deleted       bigint NOT NULL,
    columns       text[] NOT NULL,       -- of the history table, in its order then
    lsn           pg_lsn NOT NULL,       -- the checkpoint's position then
    recorded_at   timestamptz NOT NULL,  -- valid_from of the versions
    imported_at   timestamptz NOT NULL DEFAULT now()
);

-- What tables made by earlier versions lack.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attname = 'compared'
                   AND attrelid = 'pgchronicle.table_state'::regclass) THEN
        ALTER TABLE pgchronicle.table_state ADD COLUMN compared pg_lsn;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attname = 'imported'
                   AND attrelid = 'pgchronicle.table_state'::regclass) THEN
        ALTER TABLE pgchronicle.table_state ADD COLUMN imported boolean NOT NULL DEFAULT false;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attname = 'filled'
                   AND attrelid = 'pgchronicle.relation_shape'::regclass) THEN
        ALTER TABLE pgchronicle.relation_shape ADD COLUMN filled jsonb, ADD COLUMN earlier jsonb;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attname = 'accepted_at'
                   AND attrelid = 'pgchronicle.gap'::regclass) THEN
        ALTER TABLE pgchronicle.gap ADD COLUMN accepted_at timestamptz;
    END IF;
END $$;

-- Identity of a row that has no key: its text form, hashed, under settings that fix the text form.
CREATE OR REPLACE FUNCTION pgchronicle.row_hash(r record) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET timezone = 'UTC'
    SET extra_float_digits = 1 SET bytea_output = 'hex' SET lc_monetary = 'C'
    SET search_path = ''
AS $$ BEGIN RETURN hashtextextended(r::text, 0); END $$;

-- True, or an error where a history is not complete yet at the moment that is asked for.
CREATE OR REPLACE FUNCTION pgchronicle.require_known(
    history_schema text, history_table text, known_from text, asked_at text, too_early boolean
) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = '' AS $$
BEGIN
    IF known_from IS NULL THEN
        RAISE EXCEPTION 'history of table "%.%" is not complete yet', history_schema, history_table
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Its rows are still to be copied from the source; see "pgchronicle status".';
    END IF;
    IF too_early THEN
        RAISE EXCEPTION 'history of table "%.%" is not known at %', history_schema, history_table, asked_at
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = format('It is complete from %s on.', known_from);
    END IF;
    RETURN true;
END $$;

-- True, or an error where a history was left behind before the moment that is asked for.
CREATE OR REPLACE FUNCTION pgchronicle.require_followed(
    history_schema text, history_table text, left_at text, asked_at text, too_late boolean
) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = '' AS $$
BEGIN
    IF too_late THEN
        RAISE EXCEPTION 'history of table "%.%" is not known at %', history_schema, history_table, asked_at
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = format('The table is in quarantine, and its history ends at %s.', left_at),
                  HINT = 'See "pgchronicle status", and "pgchronicle repair release".';
    END IF;
    RETURN true;
END $$;

-- Guard reads of the past. Functions of STABLE volatility, so that the as-of functions around them
-- can be inlined. A table that has ended counts where none has followed it into the history table:
-- its versions have ended with it, and nothing is added to them.
CREATE OR REPLACE FUNCTION pgchronicle.require_consistent(
    history_schema text, history_table text, at_lsn pg_lsn
) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE SET search_path = '' AS $$
    SELECT pgchronicle.require_known(history_schema, history_table, max(t.consistent_from)::text,
                                     at_lsn::text, at_lsn < max(t.consistent_from))
           AND pgchronicle.require_followed(history_schema, history_table, min(q.from_lsn)::text,
                                            at_lsn::text, at_lsn > min(q.from_lsn))
      FROM pgchronicle.table_state t
      LEFT JOIN pgchronicle.quarantine q USING (pipeline, source_schema, source_table)
     WHERE t.target_schema = history_schema AND t.target_table = history_table
       AND (t.state = 'copied' OR t.state = 'ended' AND NOT EXISTS (
            SELECT FROM pgchronicle.table_state f WHERE f.target_schema = history_schema
               AND f.target_table = history_table AND f.state <> 'ended'))
$$;

CREATE OR REPLACE FUNCTION pgchronicle.require_consistent(
    history_schema text, history_table text, at_time timestamptz
) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE SET search_path = '' AS $$
    SELECT pgchronicle.require_known(history_schema, history_table, max(t.seam_time)::text,
                                     at_time::text, at_time < max(t.seam_time))
           AND pgchronicle.require_followed(history_schema, history_table, min(q.from_time)::text,
                                            at_time::text, at_time > min(q.from_time))
      FROM pgchronicle.table_state t
      LEFT JOIN pgchronicle.quarantine q USING (pipeline, source_schema, source_table)
     WHERE t.target_schema = history_schema AND t.target_table = history_table
       AND (t.state = 'copied' OR t.state = 'ended' AND NOT EXISTS (
            SELECT FROM pgchronicle.table_state f WHERE f.target_schema = history_schema
               AND f.target_table = history_table AND f.state <> 'ended'))
$$;
