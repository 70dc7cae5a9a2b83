"""Causes for which one table cannot be applied: what is done to the target or the source, the
changes that fail then, and what mends it. Each has a table of its own, called by its name."""

from dataclasses import dataclass

WIDE = 1004  # bigint columns: a row that the source's page has room for, and the history's has not.
HISTORY = ("valid_from timestamptz not null, valid_to timestamptz, is_current boolean not null, "
           "operation_type text not null, lsn_from pg_lsn not null, lsn_to pg_lsn, "
           "change_seq bigint not null")
TAKE_NO = ("create function public.planted() returns trigger language plpgsql as "
           "$$ begin raise exception 'planted: %', tg_op; end $$;"
           "grant execute on function public.planted() to public;")
# The function is there once the first cause that needs it has planted it.
PLANTED = ("create trigger planted before update on {h} for each row "
           "execute function public.planted()")


@dataclass
class Cause:
    table: str
    fails: str  # On the source, in one transaction with changes of others; {t} is the table.
    says: str  # In the error that leaves it behind,
    first: str = ""  # and in the one before, where that is another.
    plant: str = ""  # On the target, before; {h} is the history.
    mend: str = ""  # On the target.
    mend_source: str = ""
    ddl: str = "create table {t} (id integer primary key, v text)"
    rows: str = "insert into {t} values (1, 'one')"
    more: str = "insert into {t} values ({n}, '{n}')"
    stands: str = "always"  # When its history can be compared: always, mended, never.
    mended: bool = True  # Else it is in quarantine again after its release.
    early: bool = False  # It fails in the initial copy.
    late: str = ""  # It is made and published while the stream runs, by this.
    restart: bool = False  # The stream does not show it; the catalog does.

    def sql(self, text, **values):
        return text.format(t=f"operations.{self.table}", h=f"analytics.{self.table}_history",
                           view=f"analytics.{self.table}_current", **values)


CAUSES = [
    Cause("type_changed", "alter table {t} alter v type integer using length(v);"
          "insert into {t} values (10, 5)", "has another type than the source's",
          mend="drop view {view}; alter table {h} alter v type integer using length(v)"),
    Cause("key_changed", "alter table {t} drop constraint key_changed_pkey, add primary key (v);"
          "insert into {t} values (10, 'ten')", "row key of table",
          mend_source="alter table {t} drop constraint key_changed_pkey, add primary key (id)"),
    Cause("value_unfit", "insert into {t} values (10, 'too long for it')", "value too long",
          plant="drop view {view}; alter table {h} alter v type varchar(5)",
          mend="alter table {h} alter v type text"),
    Cause("row_unknown", "update {t} set v = 'changed' where id = 2",
          "does not hold every row that was changed",
          plant="create table public.taken (like {h}); with gone as "
                "(delete from {h} where id = 2 returning *) insert into public.taken table gone",
          mend="insert into {h} table public.taken", stands="mended"),
    Cause("row_refused", "insert into {t} values (10, 'bad')", "check constraint",
          plant="alter table {h} add constraint planted check (v <> 'bad') not valid",
          mend="alter table {h} drop constraint planted"),
    Cause("close_refused", "update {t} set v = 'changed'", 'trigger "planted"',
          first="planted: UPDATE", plant=TAKE_NO + PLANTED, mend="drop trigger planted on {h}"),
    Cause("truncate_refused", "truncate {t}", 'trigger "planted"',
          first="planted: UPDATE", plant=PLANTED, mend="drop trigger planted on {h}"),
    Cause("commit_refused", "insert into {t} values (10, 'same'), (11, 'same')", "duplicate key",
          plant="alter table {h} add constraint planted unique (v) deferrable initially deferred",
          mend="alter table {h} drop constraint planted"),
    Cause("ddl_refused", "alter table {t} add w integer; insert into {t} values (10, 'ten', 1)",
          "must be owner",
          plant="alter table {h} owner to postgres;"
                "grant select, insert, update on {h} to analytics_user",
          mend="alter table {h} owner to analytics_user", more="insert into {t} values ({n})"),
    Cause("history_gone", "insert into {t} values (10, 'ten')", "does not exist",
          plant="drop table {h} cascade", stands="never",
          mend="delete from pgchronicle.table_state where source_table = 'history_gone'"),
    Cause("row_too_wide", f"insert into {{t}} values (10{', 1' * WIDE})", "row is too big",
          ddl="create table {t} (id integer primary key, "
              + ", ".join(f"c{i} bigint" for i in range(WIDE)) + ")",
          rows="insert into {t} values (1, 1)", more="insert into {t} values ({n}, 1)",
          mended=False),
    Cause("key_not_sent", "update {t} set v = 'changed' where id = 2", "whose key was not sent",
          ddl="create table {t} (id integer primary key, v text not null) partition by range (id);"
              "create table {t}_1 partition of {t} for values from (0) to (100);"
              "create unique index on {t}_1 (v);"
              "alter table {t}_1 replica identity using index key_not_sent_1_v_idx",
          mend_source="alter table {t}_1 replica identity default"),
    Cause("key_lost", "alter table {t} drop constraint key_lost_pkey, replica identity full;"
          "insert into {t} values (10, 'ten')", "cannot be left untracked",
          first="row key of table",
          mend_source="alter table {t} add primary key (id)"),
    Cause("not_published", "alter publication cdc_publication drop table {t}",
          "is not published any more", restart=True,
          mend_source="alter publication cdc_publication add table {t}"),
    Cause("not_ours", "insert into {t} values (1, 'one')", "is not a history table",
          late="create table {t} (id integer primary key, v text);"
               "alter publication cdc_publication add table {t}", stands="never",
          plant="create table {h} (x integer); alter table {h} owner to analytics_user",
          mend="drop table {h}"),
    Cause("copy_refused", "insert into {t} values (3, 'three')", "check constraint", early=True,
          rows="insert into {t} values (1, 'bad')",
          plant="create table {h} (id integer, v text, " + HISTORY + ", constraint planted "
                "check (v <> 'bad')); alter table {h} owner to analytics_user",
          mend="alter table {h} drop constraint planted"),
]
