"""The source tables of the workloads, with the procedures that write their loads.

Each table brings two procedures in the schema `bench`:
`load_inserts(first, transactions, per_transaction)` inserts the keys from `first` on, and
`load_updates(keys, transactions, per_transaction)` updates random ones of the keys 1 .. `keys`.
"""

from dataclasses import dataclass

INSERTS_SQL = """
CREATE PROCEDURE bench.load_inserts(first bigint, transactions int, per_transaction int)
LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 0 .. transactions - 1 LOOP
        {insert}
          FROM generate_series(first + n::bigint * per_transaction,
                               first + (n + 1)::bigint * per_transaction - 1) AS id;
        COMMIT;
    END LOOP;
END $$;
"""

UPDATES_SQL = """
CREATE PROCEDURE bench.load_updates(keys bigint, transactions int, per_transaction int)
LANGUAGE plpgsql AS $$
DECLARE
    statuses CONSTANT varchar[] := '{{PROCESSING,COMPLETED,REPROCESSING}}';
    key bigint;
BEGIN
    FOR t IN 1 .. transactions LOOP
        FOR n IN 1 .. per_transaction LOOP
            -- A variable, because random() inside WHERE would forbid the index.
            key := {key};
            {update} = key;
        END LOOP;
        COMMIT;
    END LOOP;
END $$;
"""

RANDOM_KEY = "1 + floor(random() * keys)::bigint"
# Each key once in a transaction of as many changes as there are keys.
NEXT_KEY = "1 + (n - 1) % keys"


@dataclass(frozen=True)
class Table:
    name: str         # in the schema operations
    key: str
    columns: tuple
    create: str       # its columns, as CREATE TABLE has them
    insert: str       # INSERT ... SELECT without FROM; `id` is the key
    update: str       # UPDATE up to the key's column
    alter: str = ""   # what CREATE TABLE of every release cannot say
    setup: str = ""   # run once on the source

    @property
    def source(self):
        return f"operations.{self.name}"

    @property
    def history(self):
        return f"analytics.{self.name}_history"

    @property
    def column_list(self):
        return ", ".join(self.columns)

    @property
    def create_sql(self):
        """One definition for the source and for the references' tables: they cannot differ."""
        return (f"CREATE SCHEMA operations; CREATE TABLE {self.source} ({self.create});"
                + self.alter)

    def load_sql(self, key=RANDOM_KEY):
        return ("CREATE SCHEMA bench;" + self.setup + INSERTS_SQL.format(insert=self.insert)
                + UPDATES_SQL.format(update=self.update, key=key))


# `operations.orders` of the finance example: nine columns, about 110 bytes a row.
ORDERS = Table(
    name="orders", key="order_id",
    columns=("order_id", "order_date", "delivery_date", "customer_id", "status",
             "updated_at", "updated_by", "created_at", "created_by"),
    create="""
    order_id      bigint PRIMARY KEY,
    order_date    date,
    delivery_date date,
    customer_id   bigint,
    status        varchar,
    updated_at    timestamp(3) DEFAULT current_timestamp,
    updated_by    bigint,
    created_at    timestamp(3) DEFAULT current_timestamp,
    created_by    bigint""",
    insert="""INSERT INTO operations.orders
        SELECT id, current_date, current_date + 10, 1 + id % 50000, 'PENDING',
               clock_timestamp(), 1, clock_timestamp(), 1""",
    update="""UPDATE operations.orders
               SET status = statuses[1 + (t + n) % 3], updated_at = clock_timestamp(),
                   updated_by = n
             WHERE order_id""")


def _wide():
    """60 columns of mixed types, about 1 KB a row: a key and 59 in turn of the kinds below."""
    kinds = (
        ("integer", "(id * {n} % 1000003)::int"),
        ("bigint", "id * {n}"),
        ("varchar(40)", "md5((id + {n})::text)"),
        ("numeric(14,2)", "(id * {n} % 100000000)::numeric / 100"),
        ("timestamptz", "clock_timestamp() - {n} * interval '1 day'"),
        ("double precision", "id / {n}.5"),
        ("boolean", "(id + {n}) % 3 = 0"),
        ("date", "current_date - {n}"),
        ("uuid", "md5((id * {n})::text)::uuid"),
        ("text", "CASE WHEN id % 4 > 0 THEN repeat(md5((id - {n})::text), 2) END"),
        ("jsonb", "jsonb_build_object('id', id, 'hash', md5((id + {n})::text))"),
        ("inet", "'10.0.0.0'::inet + (id + {n}) % 16777216"),
        ("bytea", "decode(md5((id + {n})::text), 'hex')"),
        ("smallint", "((id + {n}) % 30000)::smallint"),
    )
    columns, create, values = ["id"], ["id bigint PRIMARY KEY"], ["id"]
    for n in range(1, 60):
        kind, value = kinds[(n - 1) % len(kinds)]
        columns.append(f"c{n:02}")
        create.append(f"c{n:02} {kind}")
        values.append(value.format(n=n))
    return Table(
        name="wide", key="id", columns=tuple(columns), create=", ".join(create),
        insert=f"INSERT INTO operations.wide SELECT {', '.join(values)}",
        # One column of each of the first five kinds; the other 54 stay.
        update="""UPDATE operations.wide
               SET c01 = n, c02 = c02 + 1, c03 = statuses[1 + (t + n) % 3], c04 = n / 100.0,
                   c05 = clock_timestamp()
             WHERE id""")


WIDE = _wide()

# Bodies of 20,000 random hexadecimal digits, cut out of 128 KB of random bytes (bytes, because
# finding a character of a text means reading all before it). EXTERNAL, so that they lie out of
# line as they are, on the references' tables as well.
DOCUMENTS = Table(
    name="documents", key="id", columns=("id", "title", "revision", "updated_at", "body"),
    create="""
    id         bigint PRIMARY KEY,
    title      varchar,
    revision   integer,
    updated_at timestamptz,
    body       text""",
    alter="ALTER TABLE operations.documents ALTER body SET STORAGE EXTERNAL;",
    setup="""
    CREATE TABLE bench.random AS
        SELECT string_agg(decode(md5(n::text), 'hex'), '' ORDER BY n) AS pool
          FROM generate_series(1, 8192) AS n;
    """,
    insert="""INSERT INTO operations.documents
        SELECT id, 'document ' || id, 1, clock_timestamp(),
               encode(substr((SELECT pool FROM bench.random), (1 + id * 7919 % 120000)::int, 10000),
                      'hex')""",
    update="""UPDATE operations.documents
               SET revision = revision + 1, title = statuses[1 + (t + n) % 3],
                   updated_at = clock_timestamp()
             WHERE id""")
