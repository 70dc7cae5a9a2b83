"""schema: tables change their shape while they are written; each value says where it belongs.

A value is `tag@version`: the tag of its column and the table's shape when it was written. A
column's name begins with its tag whatever it is renamed to. `sc_ddl` says which shape added and
dropped which column, and a message in the WAL says the same to the oracle, at its place among the
transaction's changes. `sc_x` and `sc_y` swap their names; their rows say where they were born.
"""

from .base import HISTORY, TOMBSTONE, Workload, tell_shape

SYSTEM = "array['id', 'v', 'valid_from', 'valid_to', 'is_current', 'operation_type', 'lsn_from', " \
         "'lsn_to', 'change_seq']"
ROWS = 40
COLUMNS_MAX = 8
FIRST_TAGS = ["c901", "c902", "c903", "c904"]
DDL_LOCK = 7002


def _columns(cursor, table):
    cursor.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = "
        "%s::regclass and attnum > 0 and not attisdropped and attname not in ('id', 'v') "
        "order by attnum", (f"operations.{table}",))
    return cursor.fetchall()


def _tag(column):
    return column.split("_")[0]


class Schema(Workload):
    name = "schema"
    # In sc_a types get wider without a new file of the table, in sc_b with one.
    followed = ["sc_a", "sc_b"]
    swapped = ["sc_x", "sc_y"]
    tables = ["sc_a", "sc_b", "sc_ddl", "sc_x", "sc_y"]
    unmodelled = swapped  # Where a swapped table's rows are read again is the program's choice.

    def __init__(self):
        # The program asks the catalog what a column is now. While it is behind, a column that
        # changed twice cannot be recognised, so each changes once between two rounds.
        self.changed = set()

    def prepare(self, cursor):
        for table in self.followed:
            cursor.execute(f"create table operations.{table} (id integer primary key,"
                           " v integer not null, "
                           + ", ".join(f"{tag} {self._first_type(table)}" for tag in FIRST_TAGS)
                           + ");"
                           f"insert into operations.{table} (id, v) select -g, 0 "
                           "from generate_series(1, 5) g")
        cursor.execute(
            "alter table operations.sc_b replica identity full;"
            "create table operations.sc_ddl (n bigint primary key, tbl text, v integer,"
            " action text, tag text);"
            "create sequence operations.sc_number;"
            "insert into operations.sc_ddl select -row_number() over (), tbl, 0, 'add', tag "
            "from unnest(%s) as t (tbl), unnest(%s) as c (tag)", (self.followed, FIRST_TAGS))
        for table in self.swapped:
            cursor.execute(f"create table operations.{table} (id integer primary key, born text,"
                           " n integer); insert into operations." + table +
                           f" select g, '{table}', 0 from generate_series(1, 10) g")

    @staticmethod
    def _first_type(table):
        return "varchar(24)" if table == "sc_a" else "integer"

    def step(self, cursor, chance):
        step = chance.choices([self._write, self._swapped_rows, self._alter, self._truncate],
                              [20, 3, 1.2, 0.2])[0]
        return step(cursor, chance) is not False

    # -- rows --------------------------------------------------------------------------------

    @staticmethod
    def _shape(cursor, table):
        cursor.execute("select max(v) from operations.sc_ddl where tbl = %s", (table,))
        return cursor.fetchone()[0]

    @staticmethod
    def _text(column, kind, version):
        """What a column holds that is written under this shape."""
        tag = _tag(column)
        if kind in ("integer", "bigint"):
            return str(int(tag[1:]) * 100_000 + version)
        return f"{tag}@v{version}"

    def _write_row(self, cursor, chance, table):
        cursor.execute(f"lock table operations.{table} in row exclusive mode")
        columns = _columns(cursor, table)
        version = self._shape(cursor, table)
        number = chance.randint(1, ROWS)
        some = [c for c in columns if chance.random() < 0.6]
        names = ["v"] + [f'"{name}"' for name, _ in some]
        values = [version] + [self._text(name, kind, version) for name, kind in some]
        kind = chance.choices(["write", "touch", "delete", "key"], [8, 2, 2, 1])[0]
        if kind == "delete":
            cursor.execute(f"delete from operations.{table} where id = %s", (number,))
        elif kind == "key":
            cursor.execute(f"update operations.{table} set id = %s where id = %s and not exists "
                           f"(select from operations.{table} where id = %s)",
                           (chance.randint(1, ROWS), number, number + 1))
        elif kind == "touch":
            cursor.execute(f"update operations.{table} set v = %s where id = %s",
                           (version, number))
        else:
            cursor.execute(
                f"insert into operations.{table} (id, {', '.join(names)}) values "
                f"({', '.join(['%s'] * (len(names) + 1))}) on conflict (id) do update set "
                + ", ".join(f"{name} = excluded.{name}" for name in names), [number, *values])
        return cursor.rowcount > 0

    def _write(self, cursor, chance):
        # First sc_a, then sc_b: nobody waits in a circle.
        wrote = False
        for table in self.followed:
            for _ in range(chance.randint(0, 2)):
                wrote |= self._write_row(cursor, chance, table)
        return wrote and chance.random() > 0.05

    def _swapped_rows(self, cursor, chance):
        table = chance.choice(self.swapped)
        cursor.execute(f"update operations.{table} set n = n + 1 where id = %s",
                       (chance.randint(1, 10),))

    @staticmethod
    def _truncate(cursor, chance):
        table = chance.choice(Schema.followed)
        cursor.execute(f"create temporary table kept on commit drop as select id, v from "
                       f"operations.{table} where id = -1; truncate operations.{table};"
                       f"insert into operations.{table} (id, v) select id, v from kept")

    # -- shapes ------------------------------------------------------------------------------

    def _alter(self, cursor, chance):
        cursor.execute("select pg_try_advisory_xact_lock(%s)", (DDL_LOCK,))
        if not cursor.fetchone()[0]:
            return False
        table = chance.choice(self.followed)
        for _ in range(chance.randint(0, 1)):
            self._write_row(cursor, chance, table)
        changed = set(self.changed)
        if chance.random() < 0.25:  # A shape that is never committed, and rows that have it.
            cursor.execute("savepoint phantom")
            self._one_shape(cursor, chance, table, set(changed))
            self._write_row(cursor, chance, table)
            cursor.execute("rollback to phantom")
        for _ in range(chance.randint(1, 2)):
            self._one_shape(cursor, chance, table, changed)
            # The stream announces a shape with the next row that has it.
            self._mark(cursor, chance, table)
        if chance.random() < 0.15:
            return False
        self.changed = changed
        return True

    def _mark(self, cursor, chance, table):
        version = self._shape(cursor, table)
        columns = _columns(cursor, table)
        sets = "".join(f', "{name}" = ' + f"'{self._text(name, kind, version)}'"
                       for name, kind in columns if chance.random() < 0.5)
        cursor.execute(f"update operations.{table} set v = %s{sets} where id = -1", (version,))

    def _one_shape(self, cursor, chance, table, changed):
        cursor.execute(f"lock table operations.{table} in access exclusive mode")
        columns = _columns(cursor, table)
        version = self._shape(cursor, table) + 1
        free = [c for c in columns if (table, _tag(c[0])) not in changed]
        kinds = ["add"] if len(columns) < COLUMNS_MAX else []
        if free:
            kinds += ["rename", "widen"] + (["drop"] if len(columns) > 3 else [])
        if not kinds:
            return
        kind = chance.choice(kinds)
        tag = f"c{version}"
        if kind == "add":
            self._add(cursor, chance, table, tag, version)
        else:
            name, of_type = chance.choice(free)
            tag = _tag(name)
            self._change(cursor, table, kind, name, of_type, version)
        changed.add((table, tag))
        cursor.execute("insert into operations.sc_ddl values (nextval('operations.sc_number'),"
                       " %s, %s, %s, %s)", (table, version, kind, tag))

    def _add(self, cursor, chance, table, tag, version):
        default = None
        if table == "sc_a" and chance.random() < 0.5:
            default = f"{tag}@d{version}"
        cursor.execute(f"alter table operations.{table} add {tag} "
                       + self._first_type(table)
                       + (f" default '{default}'" if default else ""))
        tell_shape(cursor, table, add=[tag, default])

    def _change(self, cursor, table, kind, name, of_type, version):
        alter = f'alter table operations.{table} '
        if kind == "drop":
            cursor.execute(alter + f'drop "{name}"')
            tell_shape(cursor, table, drop=name)
        elif kind == "rename":
            after = f"{_tag(name)}_{version}"
            cursor.execute(alter + f'rename "{name}" to {after}')
            tell_shape(cursor, table, rename=[name, after])
        else:
            wider = {"integer": "bigint", "character varying(24)": "varchar(48)"}
            cursor.execute(alter + f'alter "{name}" type {wider.get(of_type, "text")}'
                           if of_type != "bigint" else alter + "alter v set statistics 10")

    def settle(self, cursor):
        self.changed.clear()
        one, other = self.swapped
        cursor.execute(f"alter table operations.{one} rename to sc_between;"
                       f"alter table operations.{other} rename to {one};"
                       f"alter table operations.sc_between rename to {other};"
                       f"update operations.{one} set n = n + 1 where id = 1;"
                       f"update operations.{other} set n = n + 1 where id = 1")
        return True

    # -- what the history must say -----------------------------------------------------------

    def checks(self):
        checks = {}
        for table in self.followed:
            checks[f"every value of {table} names its column and a shape that had it"] = \
                self._values(table)
        for table in self.swapped:
            checks[f"a row of {table} counts its updates, wherever it was born"] = (
                "select * from (select id, born, n, lsn_from, lag(n) over versions as n_before, "
                "lag(born) over versions as born_before "
                f"from {HISTORY.format(table)} where not {TOMBSTONE} "
                "window versions as (partition by id order by lsn_from, change_seq)) as version "
                "where born = born_before and n < n_before")
        return checks

    @staticmethod
    def _values(table):
        """Text columns say tag@v9 (written) or tag@d9 (the default); integers tag * 100000 + 9."""
        history, ddl = HISTORY.format(table), HISTORY.format("sc_ddl")
        return f"""
            select * from (
                select id, v, lsn_from, operation_type, key, value, split_part(key, '_', 1) as tag,
                    case when value ~ '^[0-9]+$' then format('c%s', value::bigint / 100000)
                         else split_part(value, '@', 1) end as value_tag,
                    case when value ~ '^[0-9]+$' then value::bigint % 100000
                         else substring(value from '[0-9]+$')::bigint end as value_shape,
                    value like '%@d%' as by_default
                from {history} as h,
                    lateral jsonb_each_text(to_jsonb(h) - {SYSTEM}) as each (key, value)
                where value is not null and not {TOMBSTONE}
            ) as held
            cross join lateral (
                select min(v) filter (where action = 'add') as added,
                       coalesce(min(v) filter (where action = 'drop'), 2147483647) as dropped
                from {ddl} where tbl = '{table}' and {ddl.split('.')[1]}.tag = held.tag
            ) as shape
            where tag <> value_tag or added is null
               or case when by_default then value_shape <> added
                       else value_shape > v or value_shape < added or value_shape >= dropped
                            or v < added end
               or v >= dropped"""
