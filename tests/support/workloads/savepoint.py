"""savepoint: rows say whether the subtransaction that wrote them was to be kept.

Nested savepoints, rolled back or released, and plpgsql's exceptions. What a transaction keeps is
counted in `sp_ledger`. Some are so large that a server with a small logical_decoding_work_mem
streams them while they run, and streams the abort of their subtransactions.
"""

from .base import HISTORY, Workload

DEPTH_MAX = 4
ROWS_MAX = 400
LARGE_SHARE = 0.08
FILLER = "repeat(md5(g::text), 35)"  # 1120 bytes, too few to be stored out of line.

IN_PLPGSQL = f"""
do $$
begin
    insert into operations.sp_rows select nextval('operations.sp_id'), 'FATE', {FILLER}
        from generate_series(1, 2) g;
    begin
        insert into operations.sp_rows select nextval('operations.sp_id'), 'aborted', {FILLER}
            from generate_series(1, ROWS) g;
        update operations.sp_rows set fate = 'aborted'
            where id = (select max(id) from operations.sp_rows where fate = 'FATE');
        perform 1 / 0;
    exception when division_by_zero then
        insert into operations.sp_rows values (nextval('operations.sp_id'), 'FATE', 'caught');
    end;
end
$$"""


class Savepoint(Workload):
    name = "savepoint"
    tables = ["sp_rows", "sp_ledger"]
    fate_column = "fate"

    def prepare(self, cursor):
        cursor.execute(
            "create table operations.sp_rows (id bigint primary key, fate text, payload text);"
            "create table operations.sp_ledger (id bigint primary key, inserted integer,"
            " updated integer, deleted integer);"
            "create sequence operations.sp_id;"
            "insert into operations.sp_rows select nextval('operations.sp_id'), 'kept', "
            f"{FILLER} from generate_series(1, 50) g")

    def step(self, cursor, chance):
        alive = chance.random() > 0.1
        counts = dict.fromkeys(("inserted", "updated", "deleted"), 0)
        # A transaction is as large as what it starts with; later parts then stream one by one.
        rows = 80 if chance.random() < LARGE_SHARE else 3
        self._subtransaction(cursor, chance, 0, alive, rows, counts)
        self._tidy(cursor, alive, counts)
        cursor.execute("insert into operations.sp_ledger values (nextval('operations.sp_id'), "
                       "%(inserted)s, %(updated)s, %(deleted)s)", counts)
        return alive

    def _subtransaction(self, cursor, chance, depth, alive, rows, counts):
        for _ in range(chance.randint(1, 3)):
            kind = chance.choices(["insert", "update", "delete", "nested", "plpgsql"],
                                  [4, 3, 2, 4 if depth < DEPTH_MAX else 0, 1])[0]
            if kind == "nested":
                self._nested(cursor, chance, depth, alive, rows, counts)
            elif kind == "plpgsql":
                cursor.execute(IN_PLPGSQL.replace("ROWS", str(rows)).replace(
                    "FATE", "kept" if alive else "aborted"))
                counts["inserted"] += 3 if alive else 0
            else:
                self._write(cursor, chance, kind, alive, rows, counts)

    def _nested(self, cursor, chance, depth, alive, rows, counts):
        mark = f"s{depth}"
        cursor.execute(f"savepoint {mark}")
        released = chance.random() < 0.5
        self._subtransaction(cursor, chance, depth + 1, alive and released, rows, counts)
        if released:
            cursor.execute(f"release {mark}")
            return
        cursor.execute(f"rollback to {mark}")
        if chance.random() < 0.5:  # The savepoint is still there: its second life may be kept.
            self._subtransaction(cursor, chance, depth + 1, alive, 2, counts)

    @staticmethod
    def _write(cursor, chance, kind, alive, rows, counts):
        fate = "kept" if alive else "aborted"
        some = ("select id from operations.sp_rows order by id offset %s limit %s "
                "for update skip locked")
        place, number = chance.randrange(ROWS_MAX), chance.randint(1, 4)
        if kind == "insert":
            cursor.execute("insert into operations.sp_rows select nextval('operations.sp_id'), "
                           f"%s, {FILLER} from generate_series(1, %s) g",
                           (fate, chance.randint(1, rows)))
            counts["inserted"] += cursor.rowcount if alive else 0
        elif kind == "update":
            cursor.execute("update operations.sp_rows set fate = %s, payload = "
                           f"left(payload, 1000) || %s where id in ({some})",
                           (fate, str(place), place, number))
            counts["updated"] += cursor.rowcount if alive else 0
        else:
            cursor.execute(f"delete from operations.sp_rows where id in ({some})", (place, number))
            counts["deleted"] += cursor.rowcount if alive else 0

    @staticmethod
    def _tidy(cursor, alive, counts):
        cursor.execute("delete from operations.sp_rows where id in (select id from "
                       f"operations.sp_rows order by id desc offset {ROWS_MAX} "
                       "for update skip locked)")
        counts["deleted"] += cursor.rowcount if alive else 0

    def checks(self):
        rows, ledger = HISTORY.format("sp_rows"), HISTORY.format("sp_ledger")
        counted = ", ".join(
            f"count(*) filter (where operation_type = '{operation}') as {name}"
            for operation, name in (("INSERT", "inserted"), ("UPDATE", "updated"),
                                    ("DELETE", "deleted")))
        zero = " or ".join(f"coalesce(written.{name}, 0) <> coalesce(ledger.{name}, 0)"
                           for name in ("inserted", "updated", "deleted"))
        return {
            "nothing that was to be rolled back is there":
                f"select * from {rows} where fate is distinct from 'kept'",
            "each commit wrote as many rows as its ledger says":
                f"select * from (select lsn_from, {counted} from {rows} "
                "where operation_type <> 'SNAPSHOT' group by lsn_from) as written "
                f"full join {ledger} as ledger using (lsn_from) where {zero}",
            "a ledger's row is written once":
                f"select id, count(*) from {ledger} group by id having count(*) <> 1",
        }
