"""Somebody changes the history tables while the program writes them."""

from .base import Fault


class _Altered(Fault):
    """Statements on a history table, and those that take them back: one transaction each."""

    does = undoes = ""
    at_a_transaction = True

    def inject(self, world):
        world.scene.target.execute(self.does)

    def clear(self, world):
        world.scene.target.execute(self.undoes)


class CurrentRowDeleted(_Altered):
    name = "a current version deleted from the history"
    stops = "does not hold every row that was changed"
    does = ("lock table analytics.tg_swap_history in share row exclusive mode;"
            "create table public.taken (like analytics.tg_swap_history);"
            "with gone as (delete from analytics.tg_swap_history where is_current and id = "
            "  (select min(id) from analytics.tg_swap_history where is_current) returning *) "
            "insert into public.taken select * from gone")
    undoes = ("insert into analytics.tg_swap_history select * from public.taken;"
              "drop table public.taken")


class ColumnRenamed(_Altered):
    name = "a column of a history table renamed"
    stops = "list"
    does = "alter table analytics.la_a_history rename column list to list_gone"
    undoes = "alter table analytics.la_a_history rename column list_gone to list"


class ColumnRetyped(_Altered):
    """The view stands in the way of ALTER TYPE, here as for an operator."""

    name = "a column of a history table given another type"
    stops = "another type|binary data"
    does = ("drop view analytics.la_a_current;"
            "alter table analytics.la_a_history alter column k type bigint")
    undoes = ("alter table analytics.la_a_history alter column k type integer;"
              "create view analytics.la_a_current as "
              "  select * from analytics.la_a_history where is_current;"
              "alter view analytics.la_a_current owner to analytics_user")


class IndexDropped(Fault):
    """Slower, and right all the same."""

    name = "the index of a history table dropped"
    indexes = ("select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index "
               "where indrelid = 'analytics.bank_a_history'::regclass and indnatts > 1")

    def inject(self, world):
        self.index, self.definition = world.scene.target.query(self.indexes)[0]
        world.scene.target.execute(f"drop index {self.index}")
        world.load.wait_more(200)
        world.recover()

    def clear(self, world):
        if world.scene.target.value("select to_regclass(%s)::text", (self.index,)) is None:
            world.scene.target.execute(self.definition)


class TableRenamed(_Altered):
    name = "a history table renamed"
    stops = "la_a_history"
    does = "alter table analytics.la_a_history rename to la_a_gone"
    undoes = "alter table analytics.la_a_gone rename to la_a_history"


class RowSecurity(_Altered):
    name = "row level security forced on a history table"
    stops = "row-level security"
    does = ("alter table analytics.la_a_history enable row level security;"
            "alter table analytics.la_a_history force row level security")
    undoes = ("alter table analytics.la_a_history no force row level security;"
              "alter table analytics.la_a_history disable row level security")


class _Trigger(_Altered):
    """BEFORE triggers decide what is stored."""

    body = on = ""
    stops = 'trigger "planted" on table "analytics.la_a_history" is not pgchronicle\'s'

    @property
    def does(self):
        return ("create function public.planted() returns trigger language plpgsql as "
                f"$$ begin {self.body} end $$;"
                f"create trigger planted before {self.on} on analytics.la_a_history "
                "for each row execute function public.planted()")

    undoes = ("drop trigger planted on analytics.la_a_history;"
              "drop function public.planted()")


class RowsDropped(_Trigger):
    name = "a trigger that drops some versions"
    body = "if random() < 0.5 then return null; end if; return new;"
    on = "insert"


class RowsChanged(_Trigger):
    name = "a trigger that changes versions"
    body = "new.list := new.list || ' changed'; return new;"
    on = "insert"


class ClosesDropped(_Trigger):
    name = "a trigger that keeps versions open"
    body = "return null;"
    on = "update"


class Rule(_Altered):
    name = "a rule that does nothing instead"
    stops = 'rule "planted" on table "analytics.la_a_history" is not pgchronicle\'s'
    does = "create rule planted as on update to analytics.la_a_history do instead nothing"
    undoes = "drop rule planted on analytics.la_a_history"


class Constraint(_Altered):
    name = "a constraint that no new version satisfies (23514)"
    stops = "planted"
    does = ("alter table analytics.la_a_history add constraint planted "
            "check (not is_current) not valid")
    undoes = "alter table analytics.la_a_history drop constraint planted"


class RightsTaken(_Altered):
    name = "the right to write a history table revoked (42501)"
    stops = "permission denied"
    does = ("alter table analytics.la_a_history owner to postgres;"
            "grant select on analytics.la_a_history to analytics_user")
    undoes = "alter table analytics.la_a_history owner to analytics_user"


KINDS = [CurrentRowDeleted, ColumnRenamed, ColumnRetyped, IndexDropped, TableRenamed, RowSecurity,
         RowsDropped, RowsChanged, ClosesDropped, Rule, Constraint, RightsTaken]
