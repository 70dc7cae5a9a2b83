"""Whether a run did its work. A fast wrong history is reported as wrong, not as fast."""

from workloads import COLUMN_LIST


def row_count_faults(cursor, table, expected):
    cursor.execute(f"SELECT count(*) FROM {table}")
    found = cursor.fetchone()[0]
    return [] if found == expected else [f"{table} holds {found} rows, not {expected}"]


def open_version_faults(cursor, expected):
    """Faults of the open versions that counting finds; `expected` is the source's row count."""
    faults = []
    cursor.execute("SELECT count(*) FILTER (WHERE is_current),"
                   " count(*) FILTER (WHERE is_current <> (valid_to IS NULL))"
                   " FROM analytics.orders_history")
    open_versions, disagreeing = cursor.fetchone()
    if open_versions != expected:
        faults.append(f"{open_versions} open versions for {expected} rows")
    if disagreeing:
        faults.append(f"is_current and valid_to disagree in {disagreeing} versions")
    cursor.execute("SELECT count(*) FROM (SELECT 1 FROM analytics.orders_history"
                   " WHERE is_current GROUP BY order_id HAVING count(*) > 1) AS several")
    several = cursor.fetchone()[0]
    if several:
        faults.append(f"{several} keys have more than one open version")
    return faults


def history_faults(stage, database):
    """Compares pgchronicle's history with the source's rows and with what the load did."""
    connection = stage.target.connect(database)
    try:
        with connection.cursor() as cursor:
            work = stage.workload
            return (row_count_faults(cursor, "analytics.orders_history", work.versions_after)
                    + open_version_faults(cursor, work.rows_after)
                    + _difference_faults(cursor, stage.rows_file)
                    + _chain_faults(cursor)
                    + _checkpoint_faults(cursor, stage.end_lsn))
    finally:
        connection.close()


def _difference_faults(cursor, rows_file):
    """Open versions against the source's rows, both ways, every column."""
    cursor.execute("SET work_mem = '256MB'")
    cursor.execute(f"CREATE TEMP TABLE source_rows AS SELECT {COLUMN_LIST}"
                   " FROM analytics.orders_history WITH NO DATA")
    with open(rows_file, "rb") as rows:
        cursor.copy_expert("COPY source_rows FROM STDIN", rows)
    history = f"SELECT {COLUMN_LIST} FROM analytics.orders_history WHERE is_current"
    source = "SELECT * FROM source_rows"
    faults = []
    for left, right, where in ((source, history, "of the source are not in the history"),
                               (history, source, "of the history are not in the source")):
        cursor.execute(f"SELECT count(*) FROM ({left} EXCEPT ALL {right}) AS difference")
        count = cursor.fetchone()[0]
        if count:
            faults.append(f"{count} rows {where}")
    return faults


def _chain_faults(cursor):
    """Each closed version (the loads delete nothing) ends where its key's next one begins."""
    cursor.execute(
        "SELECT count(*) FROM (SELECT lsn_to, lead(lsn_from) OVER (PARTITION BY order_id"
        " ORDER BY lsn_from, change_seq) AS next_from FROM analytics.orders_history) AS chain"
        " WHERE lsn_to IS DISTINCT FROM next_from")
    broken = cursor.fetchone()[0]
    return [f"{broken} versions do not end where the next one begins"] if broken else []


def _checkpoint_faults(cursor, end_lsn):
    cursor.execute("SELECT last_commit_end, last_commit_end >= %s FROM pgchronicle.checkpoint",
                   (end_lsn,))
    row = cursor.fetchone()
    if row and row[1]:
        return []
    return [f"the checkpoint is at {row[0] if row else None}, before the end {end_lsn}"]
