"""toggle: keys that are swapped through -1, shifted and truncated; rows that come and go.

`who` is what a row is, whatever its key: at every commit each of them is there once. `tg_flap` and
`tg_bag` are counted by rows of other tables in the same transactions.
"""

from .base import HISTORY, Workload, entered_and_left, streamed

SWAPPED, SHIFTED, FLAPPING = 24, 12, 30
SWAP_LOCK = 7001  # Only one writer at a time moves a row to -1.


class Toggle(Workload):
    name = "toggle"
    tables = ["tg_swap", "tg_shift", "tg_flap", "tg_count", "tg_bag", "tg_size"]
    # A deferrable key is no replica identity: its values may be there twice in a transaction.
    unkeyed = ["tg_shift", "tg_bag"]

    def prepare(self, cursor):
        cursor.execute(
            "create table operations.tg_swap (id integer primary key, who integer not null);"
            "create table operations.tg_shift (id integer primary key deferrable, who integer);"
            "alter table operations.tg_shift replica identity full;"
            "create table operations.tg_flap (id integer primary key, n integer, note text);"
            "create table operations.tg_count (n integer, id integer primary key);"
            "alter table operations.tg_count replica identity full;"
            "create table operations.tg_bag (v text, w integer);"
            "alter table operations.tg_bag replica identity full;"
            "create table operations.tg_size (one integer primary key, n integer);"
            f"insert into operations.tg_swap select g, g from generate_series(1, {SWAPPED}) g;"
            f"insert into operations.tg_shift select g, g from generate_series(1, {SHIFTED}) g;"
            f"insert into operations.tg_count select 0, g from generate_series(1, {FLAPPING}) g;"
            "insert into operations.tg_size values (1, 0)")

    def step(self, cursor, chance):
        step = chance.choices([self._swap, self._halfway, self._shift_rows, self._shift, self._flap,
                               self._bag, self._truncate], [6, 3, 1, 1, 8, 4, 0.5])[0]
        return step(cursor, chance) is not False

    @staticmethod
    def _ids(cursor):
        cursor.execute("select pg_advisory_xact_lock(%s)", (SWAP_LOCK,))
        cursor.execute("select array_agg(id order by id) from operations.tg_swap")
        return cursor.fetchone()[0]

    def _swap(self, cursor, chance):
        """Two keys change places within the transaction, if -1 is free."""
        ids = self._ids(cursor)
        if -1 in ids:
            return False
        one, other = chance.sample(ids, 2)
        for before, after in ((one, -1), (other, one), (-1, other)):
            cursor.execute("update operations.tg_swap set id = %s where id = %s", (after, before))
        return chance.random() > 0.1

    def _halfway(self, cursor, chance):
        """The same in as many transactions as it happens to take."""
        ids = self._ids(cursor)
        if -1 not in ids:
            before, after = chance.choice(ids), -1
        else:
            [after] = set(range(ids[1], ids[1] + SWAPPED)) - set(ids)
            before = chance.choice(ids)
        cursor.execute("update operations.tg_swap set id = %s where id = %s", (after, before))
        return True

    def _shift_rows(self, cursor, chance):
        """Every key moves by one, row by row, each to the place that has just become free."""
        ids = [number for number in self._ids(cursor) if number > 0]
        up = ids[0] <= 1
        for number in sorted(ids, reverse=up):
            cursor.execute("update operations.tg_swap set id = %s where id = %s",
                           (number + 1 if up else number - 1, number))

    @staticmethod
    def _shift(cursor, chance):
        cursor.execute("update operations.tg_shift set id = id + %s", (chance.choice([-1, 1, 1]),))

    @staticmethod
    def _flap(cursor, chance):
        """Rows that are there go, those that are not come; some do both at once."""
        for number in sorted(chance.sample(range(1, FLAPPING + 1), chance.randint(1, 3))):
            cursor.execute("select n from operations.tg_count where id = %s for update", (number,))
            n = cursor.fetchone()[0]
            for _ in range(chance.choice([1, 1, 1, 2, 3])):
                cursor.execute("delete from operations.tg_flap where id = %s", (number,))
                if cursor.rowcount:
                    continue
                n += 1
                cursor.execute("insert into operations.tg_flap values (%s, %s, %s);"
                               "update operations.tg_count set n = %s where id = %s",
                               (number, n, f"life {n} of {number}", n, number))

    @staticmethod
    def _bag(cursor, chance):
        """Rows that cannot be told apart."""
        value = chance.choice("abc")
        cursor.execute("select n from operations.tg_size where one = 1 for update")
        some = f"select ctid from operations.tg_bag where v = %s limit {chance.randint(1, 3)}"
        kind = chance.choices(["insert", "delete", "update"], [4, 4, 2])[0]
        if kind == "insert":
            cursor.execute("insert into operations.tg_bag select %s, 1 from generate_series(1, %s)",
                           (value, chance.randint(1, 4)))
        elif kind == "delete":
            cursor.execute(f"delete from operations.tg_bag where ctid = any (array({some}))",
                           (value,))
        else:
            cursor.execute("update operations.tg_bag set v = %s where ctid = any "
                           f"(array({some}))", (chance.choice("abc"), value))
        change = {"insert": 1, "delete": -1, "update": 0}[kind] * cursor.rowcount
        cursor.execute("update operations.tg_size set n = n + %s", (change,))

    @staticmethod
    def _truncate(cursor, chance):
        # Those who flap hold rows of tg_count; wait for them before the table is taken.
        cursor.execute("lock table operations.tg_count in exclusive mode;"
                       "select n from operations.tg_size where one = 1 for update;"
                       "truncate operations.tg_flap, operations.tg_bag;"
                       "update operations.tg_size set n = 0")
        for number in range(1, chance.choice([1, 8])):
            cursor.execute(
                "update operations.tg_count set n = n + 1 where id = %s;"
                "insert into operations.tg_flap select id, n, format('life %%s of %%s', n, id) "
                "from operations.tg_count where id = %s", (number, number))

    def checks(self):
        flap, count = HISTORY.format("tg_flap"), HISTORY.format("tg_count")
        size = entered_and_left("tg_size", "n as many")
        return {
            "each row is there once as of every commit":
                f"select lsn, who, sum(n) from ({entered_and_left('tg_swap', 'who')}) as move "
                f"where {streamed('lsn', 'tg_swap')} group by lsn, who having sum(n) <> 0",
            "a shift moves every row by the same step":
                "select lsn_from, count(*) from " + HISTORY.format("tg_shift") +
                " where lsn_to is distinct from lsn_from group by lsn_from "
                f"having count(*) <> {SHIFTED} or min(id - who) <> max(id - who)",
            "a row that comes back has the next number":
                "select * from (select id, n, note, row_number() over (partition by id "
                f"order by lsn_from, change_seq) as life from {flap} "
                "where operation_type = 'INSERT') as born "
                "where n <> life or note <> format('life %s of %s', n, id)",
            "every life is counted by the same commit":
                f"select * from (select id, n, lsn_from from {flap} "
                "where operation_type = 'INSERT') as born full join "
                f"(select id, n, lsn_from from {count} where operation_type = 'UPDATE') as counted "
                "using (id, n, lsn_from) where born.id is null or counted.id is null",
            "the bag holds as many rows as its size says, as of every commit":
                "select lsn, bag.n, size.n from (select lsn, sum(n) as n from "
                f"({entered_and_left('tg_bag', 'v')}) as move group by lsn) as bag full join "
                f"(select lsn, sum(many * n) as n from ({size}) as move "
                "group by lsn) as size using (lsn) where coalesce(bag.n, 0) <> coalesce(size.n, 0)",
        }
