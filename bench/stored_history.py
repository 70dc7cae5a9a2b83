"""Versions that a history already holds when the load begins (S1, S2), made in SQL.

Streaming 20 M changes first would take longer than all the rest. What is made here is what
pgchronicle would have left: for each key a chain that ends where its open version begins, stored
in the order of time, the open versions last.
"""

# Rows written by one statement: its sort stays in memory.
CHUNK_ROWS = 500_000


def build(cursor, table, versions_sql):
    """Gives each key of the history as many versions as `versions_sql` says (SQL over `key`).

    Each key has one open version before. Returns the number of versions in the history.
    """
    history, columns = table.history, table.column_list
    cursor.execute("SET work_mem = '256MB'")
    cursor.execute(f"CREATE TEMP TABLE open_versions AS SELECT *, {table.key} AS key"
                   f" FROM {history}")
    cursor.execute("ALTER TABLE open_versions ADD versions bigint")
    cursor.execute(f"UPDATE open_versions SET versions = {versions_sql}")
    cursor.execute("ANALYZE open_versions")
    cursor.execute("SELECT count(*), max(versions), sum(versions) FROM open_versions")
    keys, deepest, total = cursor.fetchone()

    indexes = _drop_indexes(cursor, history)
    cursor.execute(f"TRUNCATE {history}")
    # The n-th version before the open one began n bytes and n milliseconds before it. Within one
    # step the keys come in no order, as random updates leave them.
    step = max(1, CHUNK_ROWS // keys)
    for first in range(deepest - 1, 0, -step):
        last = max(1, first - step + 1)
        cursor.execute(f"""
            INSERT INTO {history} ({columns}, valid_from, valid_to, is_current, operation_type,
                                   lsn_from, lsn_to, change_seq)
            SELECT {columns}, valid_from - n * interval '1 ms',
                   valid_from - (n - 1) * interval '1 ms', false,
                   CASE WHEN n = versions - 1 THEN 'INSERT' ELSE 'UPDATE' END,
                   lsn_from - n, lsn_from - (n - 1), 1
              FROM open_versions, generate_series(%s, %s) AS n
             WHERE n < versions ORDER BY n DESC, hashint8(key)""", (last, first))
    cursor.execute(f"""
        INSERT INTO {history} ({columns}, valid_from, valid_to, is_current, operation_type,
                               lsn_from, lsn_to, change_seq)
        SELECT {columns}, valid_from, valid_to, is_current, operation_type,
               lsn_from, lsn_to, change_seq
          FROM open_versions ORDER BY hashint8(key)""")
    for definition in indexes:
        cursor.execute(definition)
    return int(total)


def _drop_indexes(cursor, history):
    """Their definitions; building them afterwards takes a tenth of the time."""
    cursor.execute("SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)"
                   " FROM pg_index WHERE indrelid = %s::regclass", (history,))
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    return [definition for _, definition in indexes]
