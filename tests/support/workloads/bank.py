"""bank: fifty accounts in two tables, and a ledger of what was moved between them.

The sum of all balances, and the number of accounts, are the same as of every commit; what a commit
changes in an account is what it wrote into the ledger.
"""

from .base import HISTORY, Workload, entered_and_left, streamed

ACCOUNTS = 50
BALANCE = 1000


class Bank(Workload):
    name = "bank"
    tables = ["bank_a", "bank_b", "bank_ledger"]

    def prepare(self, cursor):
        cursor.execute(
            "create table operations.bank_a (account integer primary key, balance bigint not null);"
            "create table operations.bank_b (balance bigint not null, account integer primary key);"
            "alter table operations.bank_b replica identity full;"
            "create table operations.bank_ledger (transfer bigint, account integer, amount bigint,"
            " primary key (transfer, account));"
            "create sequence operations.bank_transfer;"
            f"insert into operations.bank_a select g, {BALANCE} from generate_series(1, 25) g;"
            f"insert into operations.bank_b select {BALANCE}, g from generate_series(26, 50) g")

    def step(self, cursor, chance):
        if chance.random() < 0.15:
            return self._move(cursor, chance)
        accounts = sorted(chance.sample(range(1, ACCOUNTS + 1), chance.randint(2, 4)))
        amounts = [chance.randint(-50, 50) for _ in accounts[1:]]
        cursor.execute("select nextval('operations.bank_transfer')")
        transfer = cursor.fetchone()[0]
        for account, amount in zip(accounts, [-sum(amounts), *amounts]):
            if not self._add(cursor, account, amount):
                return False
            cursor.execute("insert into operations.bank_ledger values (%s, %s, %s)",
                           (transfer, account, amount))
        return chance.random() > 0.1

    @staticmethod
    def _add(cursor, account, amount):
        for table in ("bank_a", "bank_b"):
            cursor.execute(f"update operations.{table} set balance = balance + %s "
                           "where account = %s", (amount, account))
            if cursor.rowcount:
                return True
        return False  # It was moved while we looked.

    @staticmethod
    def _move(cursor, chance):
        account = chance.randint(1, ACCOUNTS)
        there, here = chance.sample(["bank_a", "bank_b"], 2)
        cursor.execute(
            f"with gone as (delete from operations.{here} where account = %s returning *) "
            f"insert into operations.{there} (account, balance) select account, balance from gone",
            (account,))
        return cursor.rowcount == 1

    def checks(self):
        moves = " union all ".join(entered_and_left(table, "account, balance")
                                   for table in ("bank_a", "bank_b"))
        changed = (f"select lsn, account, sum(balance * n) as amount from ({moves}) as move "
                   f"where {streamed('lsn', 'bank_a', 'bank_b')} group by lsn, account")
        copied = " union all ".join(f"select balance from {HISTORY.format(table)} "
                                    "where operation_type = 'SNAPSHOT'"
                                    for table in ("bank_a", "bank_b"))
        return {
            "the copied balances are those that were there":
                f"select count(*), sum(balance) from ({copied}) as account "
                f"having (count(*), sum(balance)) is distinct from ({ACCOUNTS}::bigint, "
                f"{ACCOUNTS * BALANCE}::numeric)",
            "the sum of all balances is constant as of every commit":
                f"select lsn, sum(balance * n) as change from ({moves}) as move "
                f"where {streamed('lsn', 'bank_a', 'bank_b')} "
                "group by lsn having sum(balance * n) <> 0 or sum(n) <> 0",
            "a commit changes each account as its ledger says":
                f"select * from ({changed}) as changed full join "
                "(select lsn_from as lsn, account, amount from "
                f"{HISTORY.format('bank_ledger')}) as said using (lsn, account) "
                "where coalesce(changed.amount, 0) <> coalesce(said.amount, 0)",
        }
