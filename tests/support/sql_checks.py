"""Loads sql/checks/*.sql and fills in their placeholders."""

import re
from pathlib import Path

from .rows import qualified, quote

CHECKS_DIR = Path(__file__).resolve().parents[2] / "sql" / "checks"
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


NEVER = "FFFFFFFF/FFFFFFFF"


def _complete_from(connection, spec, pipeline):
    """From where on every row's beginning, and whatever became of it, is known, as `verify` says."""
    with connection.cursor() as cursor:
        cursor.execute("""
            select case when state.consistent_from is null or state.compare_as is not null
                          or (state.seam is null and state.compared is null)
                          or bool_or(gap.lasts) then %s
                   else greatest(state.seam, state.compared, state.consistent_from,
                                 max(gap.to_lsn))::text end
            from pgchronicle.table_state as state
            left join lateral (
                select to_lsn,
                       repaired_at is null and reason in ('not_published', 'quarantined') as lasts
                from pgchronicle.gap
                where pipeline = state.pipeline and reason <> 'value_unknown'
                  and (source_table is null
                       or (source_schema, source_table)
                          = (state.source_schema, state.source_table))
            ) as gap on true
            where (pipeline, source_schema, source_table) = (%s, %s, %s)
            group by state.seam, state.compared, state.consistent_from, state.compare_as
            """, (NEVER, pipeline, spec.schema, spec.name))
        row = cursor.fetchone()
        return NEVER if row is None else row[0]


def checks_for(spec, pipeline, fate_column=None, complete_from=NEVER):
    """{check name: SQL} of those that apply to the table."""
    texts = ", ".join(f'{quote(column)}::text collate "C"' for column in spec.target_columns)
    values = {
        "history": qualified(spec.target_schema, spec.history_table),
        "key_columns": ", ".join(map(quote, spec.target_key)) or None,
        "fate_column": quote(fate_column) if fate_column in spec.target_columns else None,
        "pipeline": "'" + pipeline.replace("'", "''") + "'",
        "complete_from": f"'{complete_from}'::pg_lsn",
        "values": f"array[{texts}]::text[]",
    }
    checks = {}
    for path in sorted(CHECKS_DIR.glob("*.sql")):
        sql = path.read_text()
        if all(values[name] is not None for name in _PLACEHOLDER.findall(sql)):
            checks[path.stem] = _PLACEHOLDER.sub(lambda match: values[match.group(1)], sql)
    return checks


def run_checks(connection, spec, pipeline, fate_column=None):
    """[(check name, first offending rows)], empty when all hold."""
    failures = []
    with connection.cursor() as cursor:
        complete_from = _complete_from(connection, spec, pipeline)
        for name, sql in checks_for(spec, pipeline, fate_column, complete_from).items():
            cursor.execute(sql)
            rows = cursor.fetchmany(3)
            if rows:
                failures.append((name, rows))
    return failures
