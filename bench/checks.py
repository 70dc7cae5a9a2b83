"""Whether a run did its work. A fast wrong history is reported as wrong, not as fast."""

def row_count_faults(cursor, table, expected):
    cursor.execute(f"SELECT count(*) FROM {table}")
    found = cursor.fetchone()[0]
    return [] if found == expected else [f"{table} holds {found} rows, not {expected}"]


def open_version_faults(cursor, table, expected):
    """Faults of the open versions that counting finds; `expected` is the source's row count."""
    faults = []
    cursor.execute("SELECT count(*) FILTER (WHERE is_current),"
                   " count(*) FILTER (WHERE is_current <> (valid_to IS NULL))"
                   f" FROM {table.history}")
    open_versions, disagreeing = cursor.fetchone()
    if open_versions != expected:
        faults.append(f"{open_versions} open versions for {expected} rows")
    if disagreeing:
        faults.append(f"is_current and valid_to disagree in {disagreeing} versions")
    cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table.history} WHERE is_current"
                   f" GROUP BY {table.key} HAVING count(*) > 1) AS several")
    several = cursor.fetchone()[0]
    if several:
        faults.append(f"{several} keys have more than one open version")
    return faults


def history_faults(stage, database, versions, rows):
    """Compares pgchronicle's history with the source's rows and with what the load did.

    `versions` and `rows` are how many versions the history and rows the source must have.
    """
    connection = stage.target.connect(database)
    try:
        with connection.cursor() as cursor:
            # Enough to sort the chains of S1 and S2 in memory.
            cursor.execute("SET work_mem = '1GB'")
            return (row_count_faults(cursor, stage.table.history, versions)
                    + open_version_faults(cursor, stage.table, rows)
                    + _difference_faults(cursor, stage.table, stage.rows_file)
                    + _chain_faults(cursor, stage.table)
                    + _checkpoint_faults(cursor, stage.end_lsn))
    finally:
        connection.close()


def _difference_faults(cursor, table, rows_file):
    """Open versions against the source's rows, both ways, every column."""
    cursor.execute(f"CREATE TEMP TABLE source_rows AS SELECT {table.column_list}"
                   f" FROM {table.history} WITH NO DATA")
    with open(rows_file, "rb") as rows:
        cursor.copy_expert("COPY source_rows FROM STDIN", rows)
    history = f"SELECT {table.column_list} FROM {table.history} WHERE is_current"
    source = "SELECT * FROM source_rows"
    faults = []
    for left, right, where in ((source, history, "of the source are not in the history"),
                               (history, source, "of the history are not in the source")):
        cursor.execute(f"SELECT count(*) FROM ({left} EXCEPT ALL {right}) AS difference")
        count = cursor.fetchone()[0]
        if count:
            faults.append(f"{count} rows {where}")
    return faults


def digest(cursor, table, relation, where="true"):
    """(rows, sum of 64-bit hashes of all columns): equal for equal sets of rows, in any order.

    For W6, where sorting both sides would take longer than what is measured.
    """
    cursor.execute(f"SELECT count(*), sum(hashtextextended(row({table.column_list})::text, 0))"
                   f" FROM {relation} WHERE {where}")
    return cursor.fetchone()


def _chain_faults(cursor, table):
    """Each closed version (the loads delete nothing) ends where its key's next one begins."""
    cursor.execute(
        f"SELECT count(*) FROM (SELECT lsn_to, lead(lsn_from) OVER (PARTITION BY {table.key}"
        f" ORDER BY lsn_from, change_seq) AS next_from FROM {table.history}) AS chain"
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
