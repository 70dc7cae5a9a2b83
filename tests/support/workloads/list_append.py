"""list-append: each transaction appends one number to one to four lists in several tables.

An element is `number/lists`: the number is the transaction's own, and it says to how many lists the
transaction appended it. So a version that is not its predecessor plus one element was lost or
altered, and a number that stands in fewer lists than it says was torn.
"""

from .base import HISTORY, Workload

LISTS = 48
LENGTH_MAX = 500  # Then the list is deleted, and begins anew in the same transaction.


class ListAppend(Workload):
    name = "list-append"
    tables = ["la_a", "la_b", "la_c"]

    def prepare(self, cursor):
        cursor.execute(
            "create table operations.la_a (k integer primary key, list text not null);"
            "create table operations.la_b (k integer primary key, list text not null);"
            "alter table operations.la_b replica identity full;"
            "create table operations.la_c (list text not null, k integer primary key);"
            "create sequence operations.la_number;"
            "insert into operations.la_b select -g, format('%s/1', -g) "
            "from generate_series(1, 10) g;"
            "insert into operations.la_c select format('%s/1', -10 - g), -g "
            "from generate_series(1, 10) g")

    def step(self, cursor, chance):
        cursor.execute("select nextval('operations.la_number')")
        places = [(table, key) for table in self.tables for key in range(-10, LISTS)]
        # Everybody locks in the same order, so nobody waits in a circle.
        chosen = sorted(chance.sample(places, chance.randint(1, 4)))
        element = f"{cursor.fetchone()[0]}/{len(chosen)}"
        for table, key in chosen:
            cursor.execute(
                f"delete from operations.{table} where k = %s and length(list) > {LENGTH_MAX};"
                f"insert into operations.{table} as l (k, list) values (%s, %s) "
                "on conflict (k) do update set list = l.list || ' ' || excluded.list",
                (key, key, element))
        return chance.random() > 0.05

    def checks(self):
        return {
            **{f"every version of {table} is the one before it and one element":
               self._follows(HISTORY.format(table)) for table in self.tables},
            "a number is in as many lists as its transaction appended it to, by one commit":
                self._torn(),
        }

    @staticmethod
    def _follows(history):
        begun = "('INSERT', 'SNAPSHOT', 'UPDATE')"
        return f"""
            select * from (
                select k, list, operation_type, lsn_from, lag(list) over versions as list_before,
                       lag(operation_type) over versions as operation_before
                from {history}
                window versions as (partition by k order by lsn_from, change_seq)
            ) as version
            where not coalesce(case operation_type
                when 'SNAPSHOT' then operation_before is null and position(' ' in list) = 0
                when 'INSERT' then coalesce(operation_before, 'DELETE') = 'DELETE'
                                   and position(' ' in list) = 0
                when 'UPDATE' then operation_before in {begun}
                                   and list = list_before || ' ' || split_part(list, ' ', -1)
                when 'DELETE' then operation_before in {begun} and list = list_before
                end, false)"""

    def _torn(self):
        last = " union all ".join(
            f"select split_part(list, ' ', -1) as element, lsn_from, operation_type "
            f"from {HISTORY.format(table)}" for table in self.tables)
        return f"""
            select element, count(*) as lists, count(distinct lsn_from) as commits
            from ({last}) as version
            where operation_type <> 'DELETE'
            group by element
            having count(*)::text <> split_part(element, '/', 2)
                or count(distinct lsn_from) <> 1"""
