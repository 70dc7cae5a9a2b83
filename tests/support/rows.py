"""Reading rows as the text of each type's output function, and digests of them."""

import contextlib
import hashlib

import psycopg2.extensions

# Neither stands in any test value: NULL, and the end of one column's text.
_NULL = "\x01"
_END = "\x1f"


@contextlib.contextmanager
def text_cursor(connection):
    """A cursor that gives every value as the server printed it."""
    with connection.cursor() as cursor:
        cursor.execute("select oid from pg_catalog.pg_type")
        oids = tuple(row[0] for row in cursor.fetchall())
        raw = psycopg2.extensions.new_type(oids, "RAW", lambda value, _: value)
        psycopg2.extensions.register_type(raw, cursor)
        yield cursor


def quote(name):
    return '"' + name.replace('"', '""') + '"'


def qualified(schema, name):
    return f"{quote(schema)}.{quote(name)}"


def fetch_text(connection, relation, columns, where="true"):
    """Every row of `relation` as a tuple of texts."""
    with text_cursor(connection) as cursor:
        cursor.execute(f"select {', '.join(map(quote, columns))} from {relation} where {where}")
        return cursor.fetchall()


def table_columns(connection, schema, table):
    """The columns that logical decoding carries: no generated ones."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select attname from pg_catalog.pg_attribute where attrelid = %s::regclass "
            "and attnum > 0 and not attisdropped and attgenerated = '' order by attnum",
            (qualified(schema, table),))
        return [row[0] for row in cursor.fetchall()]


def primary_key(connection, schema, table):
    with connection.cursor() as cursor:
        cursor.execute(
            "select a.attname from pg_catalog.pg_index i "
            "cross join lateral unnest(i.indkey) with ordinality as k (number, place) "
            "join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number "
            "where i.indrelid = %s::regclass and i.indisprimary order by k.place",
            (qualified(schema, table),))
        return [row[0] for row in cursor.fetchall()]


def replica_identity(connection, schema, table):
    with connection.cursor() as cursor:
        cursor.execute("select relreplident from pg_catalog.pg_class where oid = %s::regclass",
                       (qualified(schema, table),))
        return cursor.fetchone()[0]


# -- digests: the same number from Python and from SQL, and one that can be kept up to date ------

def row_hash(values):
    """60 bits of a row's md5. Summing them makes a digest that a single change can update."""
    text = "".join((_NULL if value is None else value) + _END for value in values)
    return int(hashlib.md5(text.encode()).hexdigest()[:15], 16)


def digest_sql(relation, columns):
    """A query for (row count, sum of row hashes) that agrees with row_hash."""
    # format() prints with the output function; a cast to text would change char(n) and bool.
    text = " || ".join(f"coalesce(format('%s', {quote(c)}), '') || "
                       f"case when {quote(c)} is null then E'\\x01' else '' end || E'\\x1f'"
                       for c in columns)
    return (f"select count(*), coalesce(sum(('x' || substr(md5({text}), 1, 15))::bit(60)::bigint),"
            f" 0) from {relation}")


def version_hash(texts):
    """The same of one version, whose NULLs do not count: columns that are added later have none."""
    text = "".join(f"{place}={value}{_END}" for place, value in enumerate(texts)
                   if value is not None)
    return int(hashlib.md5(text.encode()).hexdigest()[:15], 16)


def version_digests_sql(relation, columns, ranges):
    """A query for (number of the range, count, sum of version_hash) of the versions that end in
    each of `ranges`, pairs of LSNs: after the first, at or before the second."""
    text = " || ".join(f"case when {quote(c)} is null then '' else '{place}=' || "
                       f"format('%s', {quote(c)}) || E'\\x1f' end"
                       for place, c in enumerate(columns))
    places = ", ".join(f"({n}, '{begin}'::pg_lsn, '{end}'::pg_lsn)"
                       for n, (begin, end) in enumerate(ranges))
    return (f"select range_no, count(*), sum(('x' || substr(md5({text}), 1, 15))::bit(60)::bigint) "
            f"from (values {places}) as range_ (range_no, range_first, range_last) "
            f"join {relation} on lsn_to > range_first and lsn_to <= range_last group by range_no")
