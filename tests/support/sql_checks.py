"""Loads sql/checks/*.sql and fills in their placeholders."""

import re
from pathlib import Path

from .rows import qualified, quote

CHECKS_DIR = Path(__file__).resolve().parents[2] / "sql" / "checks"
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


def checks_for(spec, pipeline, fate_column=None):
    """{check name: SQL} of those that apply to the table."""
    values = {
        "history": qualified(spec.target_schema, spec.history_table),
        "key_columns": ", ".join(map(quote, spec.target_key)) or None,
        "fate_column": quote(fate_column) if fate_column in spec.target_columns else None,
        "pipeline": "'" + pipeline.replace("'", "''") + "'",
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
        for name, sql in checks_for(spec, pipeline, fate_column).items():
            cursor.execute(sql)
            rows = cursor.fetchmany(3)
            if rows:
                failures.append((name, rows))
    return failures
