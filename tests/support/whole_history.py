"""The whole history of a pipeline as digests: every column of every row of every table of it."""

from .rows import quote

# Columns of the metadata that speak of this process's doings, and not of the history.
_METADATA = {
    "checkpoint": "pipeline, slot_start, slot_start_time, last_commit_end, last_commit_time",
    "table_state": "source_schema, source_table, relation_id, target_schema, target_table, "
                   "row_key, state, compare_as, begins_at, membership, seam, seam_time, "
                   "consistent_from, rows_copied, compared",
    "relation_shape": "*",
    "gap": "source_schema, source_table, from_lsn, to_lsn, reason, detail",
    "pending_value": "*",
}


def history_tables(target, pipeline):
    """[(schema, table)] of the history tables."""
    return target.query("select target_schema, target_table from pgchronicle.table_state "
                        "where pipeline = %s order by 1, 2", (pipeline,))


def _digest(target, sql, parameters=None):
    return target.query("select count(*), md5(coalesce(string_agg(md5(d::text), '' "
                        f"order by md5(d::text)), '')) from ({sql}) d", parameters)[0]


def whole_history(target, pipeline):
    """{table: (rows, digest)}; two are equal when nothing that the pipeline knows differs."""
    found = {name: _digest(target, f"select {columns} from pgchronicle.{name} "
                                   "where pipeline = %s", (pipeline,))
             for name, columns in _METADATA.items()}
    for schema, table in history_tables(target, pipeline):
        found[schema, table] = _digest(target, f"select * from {quote(schema)}.{quote(table)}")
    return found


def rows_as_they_were(target, schema, table, lsn):
    """The rows of a history table as of an LSN, as texts: what was closed later is open."""
    columns = ", ".join(quote(name) for name, in target.query(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 "
        "and not attisdropped and attname not in ('valid_to', 'lsn_to', 'is_current') "
        "order by attname", (f"{quote(schema)}.{quote(table)}",)))
    later = "lsn_to > %s::pg_lsn"
    return sorted(row for row, in target.query(
        f"select d::text from (select {columns}, case when {later} then null else valid_to end, "
        f"case when {later} then null else lsn_to end, is_current or coalesce({later}, false) "
        f"from {quote(schema)}.{quote(table)} where lsn_from <= %s::pg_lsn) d", (lsn,) * 4))


def differences(before, after):
    return {name: (before.get(name), after.get(name))
            for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
