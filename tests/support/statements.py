"""What a server was told to execute, by its own log (log_statement = all), and whether all of it is
of kinds that the program executes on a target."""

import re

_ENTRY = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ \w+ \[\d+\] (?P<application>.*?) ?"
                    r"(?P<kind>LOG|DETAIL|HINT|CONTEXT|STATEMENT|NOTICE|WARNING|ERROR|FATAL):  "
                    r"(?P<text>.*)$", re.S)
_STATEMENT = re.compile(r"^(?:statement|execute .*?): (.*)$", re.S)

# A quoted thing as PostgreSQL reads it; the first that matches at a place counts.
_QUOTED = re.compile(r"""(?P<escape>\bE'(?:\\.|''|[^'\\])*')|(?P<literal>'(?:''|[^'])*')
                     |(?P<name>"(?:""|[^"])*")|(?P<dollar>\$(?P<tag>[a-zA-Z_]*)\$.*?\$(?P=tag)\$)
                     |(?P<comment>--[^\n]*)""", re.S | re.X)
_PLAIN_NAME = re.compile(r'"[a-z_][a-z0-9_]*"')

_RELATION = r'(?:"[^"]*"|\w+)(?:\."[^"]*"|\.\w+)?'
ALLOWED = [re.compile(pattern) for pattern in (
    r"BEGIN\b", r"COMMIT\b", r"ROLLBACK\b", r"SET (?:LOCAL )?\w+ = ", r"SELECT\b", r"WITH \w+ AS",
    r"SET TRANSACTION ISOLATION LEVEL\b", r"(?:SAVEPOINT|RELEASE) one_table$",
    r"INSERT INTO\b", r"UPDATE\b", rf"COPY {_RELATION} \([^;]*\) FROM STDIN",
    r"DO '_'", r"ANALYZE\b", r"LOCK TABLE\b",
    r"CREATE SCHEMA\b", r"CREATE (?:UNLOGGED |TEMP )?TABLE\b", r"CREATE (?:UNIQUE )?INDEX\b",
    r"CREATE OR REPLACE (?:VIEW|FUNCTION)\b", r"CREATE COLLATION\b",
    rf"ALTER TABLE {_RELATION}", rf"ALTER VIEW {_RELATION} RENAME", r"ALTER INDEX\b",
    rf"DROP VIEW IF EXISTS {_RELATION}$", rf"DROP INDEX (?:IF EXISTS )?{_RELATION}$",
    r'DROP TABLE (?:IF EXISTS )?"pgchronicle"\."', r"DELETE FROM pg_temp\.",
    # A writer that another shape of its table has taken the place of.
    r"DEALLOCATE pgchronicle_close_\d+$", r"DROP TABLE pg_temp\.pgchronicle_stage_\d+$",
    r"DELETE FROM pgchronicle\.(?:pending_value|gap|relation_shape|replay_shape|replay|"
    r"table_state|quarantine|checkpoint)\b",
    # What `replay` takes out of a history.
    rf"""DELETE FROM {_RELATION} WHERE "lsn_from" > '_'$""",
)]


def executed(log, application="pgchronicle "):
    """The statements of the sessions whose application name begins so."""
    found = []
    for entry in re.split(r"\n(?!\t)", log):
        match = _ENTRY.match(entry)
        if not match or match["kind"] != "LOG" or not match["application"].startswith(application):
            continue
        statement = _STATEMENT.match(match["text"].replace("\n\t", "\n"))
        if statement:
            found.append(statement[1])
    return found


def masked(statement):
    """The statement with everything that is quoted taken out."""
    def mask(match):
        if match["name"]:
            return match[0] if _PLAIN_NAME.fullmatch(match[0]) else '"_"'
        return "" if match["comment"] else "'_'"
    return _QUOTED.sub(mask, statement)


def foreign(statements, marker):
    """What is not of a kind that the program executes, or has the marker outside of quotes."""
    problems = []
    for statement in statements:
        for part in masked(statement).split(";"):
            part = " ".join(part.split())
            if part and (marker in part or not any(kind.match(part) for kind in ALLOWED)):
                problems.append((part, statement))
    return problems
