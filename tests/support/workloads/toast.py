"""toast: large values that updates leave alone, and a small one that is their digest.

A row's `uid` stays whatever its key, and `n` counts its updates; `digest` is the md5 of `ext`
(never compressed, over 8 kB), `inl` (compressed, in the row) and `bin` (cannot be compressed).
"""

from .base import HISTORY, TOMBSTONE, Workload

DIGEST = ("md5(coalesce({ext}, '~') || '|' || coalesce({inl}, '~') || '|' || "
          "coalesce(encode({bin}, 'hex'), '~'))")
LARGE = ("ext", "inl", "bin")
ROWS_MAX = 60


class Toast(Workload):
    name = "toast"
    tables = ["to_default", "to_full"]

    def prepare(self, cursor):
        cursor.execute("create sequence operations.to_uid")
        for table in self.tables:
            cursor.execute(
                f"create table operations.{table} (id bigint primary key, uid bigint not null,"
                " n integer not null default 0, digest text, ext text, inl text, bin bytea);"
                f"alter table operations.{table} alter ext set storage external;"
                f"insert into operations.{table} (id, uid, ext, inl) "
                "select u, u, repeat(u::text || ' ', 4500), repeat('in', 1000) from "
                "(select nextval('operations.to_uid') as u from generate_series(1, 12)) as fresh;"
                f"update operations.{table} set digest = "
                + DIGEST.format(ext="ext", inl="inl", bin="bin"))
        cursor.execute("alter table operations.to_full replica identity full")

    @staticmethod
    def _value(chance, column):
        if chance.random() < 0.15:
            return None
        if column == "ext":
            return chance.randbytes(chance.randint(4100, 6000)).hex()
        if column == "inl":
            return f"{chance.randrange(1 << 30)} " * chance.randint(250, 700)
        return chance.randbytes(chance.randint(2500, 5000))

    def step(self, cursor, chance):
        wrote = False
        for _ in range(chance.randint(1, 3)):
            table = "operations." + chance.choice(self.tables)
            kind = chance.choices(["insert", "touch", "change", "key", "delete"],
                                  [2, 5, 3, 2, 1.5])[0]
            cursor.execute(f"select array_agg(id order by uid) from {table}")
            numbers = cursor.fetchone()[0]  # NULL when the deletes were the luckier ones.
            if kind == "insert" or not numbers:
                self._insert(cursor, chance, table)
                wrote = True
            else:
                wrote |= self._change(cursor, chance, table, kind, chance.choice(numbers))
        return wrote and chance.random() > 0.05

    def _insert(self, cursor, chance, table):
        cursor.execute(f"delete from {table} where id in (select id from {table} order by uid "
                       f"desc offset {ROWS_MAX} for update skip locked)")
        values = {column: self._value(chance, column) for column in LARGE}
        cursor.execute(
            f"insert into {table} (id, uid, digest, ext, inl, bin) select u, u, "
            + DIGEST.format(ext="%(ext)s::text", inl="%(inl)s::text", bin="%(bin)s::bytea")
            + ", %(ext)s, %(inl)s, %(bin)s from (select nextval('operations.to_uid') as u) as "
            "fresh returning id", values)
        if chance.random() < 0.4:  # What was not stored before now is unchanged right away.
            self._change(cursor, chance, table, "touch", cursor.fetchone()[0])

    def _change(self, cursor, chance, table, kind, number):
        if kind == "touch":
            cursor.execute(f"update {table} set n = n + 1 where id = %s", (number,))
        elif kind == "key":
            cursor.execute(f"update {table} set id = nextval('operations.to_uid'), n = n + 1 "
                           "where id = %s", (number,))
        elif kind == "delete":
            cursor.execute(f"delete from {table} where id = %s", (number,))
        else:
            column = chance.choice(LARGE)
            place = {name: name for name in LARGE}
            place[column] = "%(value)s::" + ("bytea" if column == "bin" else "text")
            cursor.execute(f"update {table} set n = n + 1, {column} = %(value)s, digest = "
                           + DIGEST.format(**place) + " where id = %(id)s",
                           {"value": self._value(chance, column), "id": number})
        return cursor.rowcount > 0  # Somebody else may have given the row another key.

    def checks(self):
        digest = DIGEST.format(ext="ext", inl="inl", bin="bin")
        checks = {}
        for table in self.tables:
            history = HISTORY.format(table)
            checks[f"the digest in {table} is that of the large values beside it"] = (
                f"select id, uid, n, operation_type, lsn_from, change_seq from {history} "
                f"where digest is distinct from {digest}")
            checks[f"each row of {table} has each of its updates once and in order"] = (
                "select * from (select uid, n, lsn_from, change_seq, row_number() over "
                f"(partition by uid order by lsn_from, change_seq) - 1 as place from {history} "
                f"where not {TOMBSTONE}) as version where n <> place")
            checks[f"nothing large is NULL in {table} because it was not sent"] = (
                f"select uid from (select uid, {', '.join(LARGE)}, digest, "
                "lag(digest) over versions as digest_before, "
                + ", ".join(f"lag({c}) over versions as {c}_before" for c in LARGE)
                + f" from {history} where not {TOMBSTONE} "
                "window versions as (partition by uid order by lsn_from, change_seq)) as version "
                "where digest = digest_before and ("
                + " or ".join(f"{c} is distinct from {c}_before" for c in LARGE) + ")")
        return checks
