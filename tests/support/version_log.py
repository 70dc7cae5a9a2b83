"""The version log of a short scenario in a form that can be written down."""

from .lsn import format_lsn
from .rows import qualified, quote
from .story import finish


def logs(scene, **tables):
    """{table: its versions}, of `table="columns"`.

    A version is (commit, change_seq, operation, column values ..., commit that ended it or None).
    Commits are numbered from 1 as they stand in these tables.
    """
    union = " union ".join(
        f"select {end} as lsn from analytics.{table}_history where {end} is not null"
        for table in tables for end in ("lsn_from", "lsn_to"))
    result = {}
    for table, columns in tables.items():
        result[table] = scene.target.query(
            f"with commits as (select lsn, row_number() over (order by lsn)::integer as number "
            f"from ({union}) u) select b.number, change_seq, operation_type, {columns}, e.number "
            f"from analytics.{table}_history join commits b on b.lsn = lsn_from "
            "left join commits e on e.lsn = lsn_to "
            # Of one change, the tombstone of the old key stands before the new one's version.
            f"order by lsn_from, change_seq, operation_type <> 'REKEY', {columns}")
    return result


def log_of(scene, table, columns):
    return logs(scene, **{table: columns})[table]


def keys_open_twice(scene, spec, model):
    """[(LSN, key)] of keys with two open versions at a commit: as_of_lsn and the table itself."""
    key = ", ".join(map(quote, spec.target_key))
    history = qualified(spec.target_schema, spec.history_table)
    reader = qualified(spec.target_schema, f"{spec.name}_as_of_lsn")
    begin = scene.target.value(
        "select consistent_from::text from pgchronicle.table_state where source_schema = %s "
        "and source_table = %s", spec.id)
    found = []
    for end in [format_lsn(end) for end, _ in model.digests]:
        rows = f"select * from {history} where lsn_from <= '{end}' and " \
               f"(lsn_to > '{end}' or lsn_to is null)"
        relations = [f"({rows}) r"]
        if scene.target.value("select %s::pg_lsn >= %s::pg_lsn", (end, begin)):
            relations.append(f"{reader}('{end}'::pg_lsn)")
        for relation in relations:
            found += [(end, *row) for row in scene.target.query(
                f"select {key} from {relation} group by {key} having count(*) > 1")]
    return found


def finish_key_by_key(scene, service, oracle, *specs, **options):
    """Set V, and no key is open twice at any commit (S16). Returns the model."""
    model = finish(scene, service, oracle, *specs, **options)
    for spec in specs:
        assert not spec.key or keys_open_twice(scene, spec, model) == []
    return model
