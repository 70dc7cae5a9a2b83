"""Traffic on the source: the finance example's own procedures, and what it lacks."""

import random
import subprocess
import threading

import psycopg2

from .cluster import client
from .pgchronicle import REPO

EXAMPLE = REPO / "examples" / "finance" / "source"
FINANCE_TABLES = ["customers", "products", "orders", "order_items"]


def _psql(cluster, dbname, path):
    subprocess.run(
        [client("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(cluster.socket_dir),
         "-p", str(cluster.port), "-U", "postgres", "-d", dbname, "-f", str(path)],
        check=True, stdout=subprocess.DEVNULL)


def load_finance(scene):
    """Schema and procedures of the finance example into the scene's source database."""
    scene.source.execute("drop schema operations")
    scene.source_cluster.execute(
        "do $$ begin create role finance_db_user login password '1234'; "
        "exception when duplicate_object then null; end $$")
    scene.source_cluster.execute(
        f'alter database "{scene.source.name}" owner to finance_db_user')
    _psql(scene.source_cluster, scene.source.name, EXAMPLE / "02_schema.sql")
    _psql(scene.source_cluster, scene.source.name, EXAMPLE / "04_traffic.sql")


def first_finance_rows(scene):
    _psql(scene.source_cluster, scene.source.name, EXAMPLE / "05_first_rows.sql")


class Traffic:
    """Threads that call `step(cursor, random)` again and again, each on its own connection."""

    def __init__(self, database, steps, seed, pause=0.0):
        self.stopping = threading.Event()
        self.pause = pause
        self.commits = 0
        self.errors = []
        self._database = database
        self._threads = [
            threading.Thread(target=self._work, args=(step, random.Random(f"{seed}/{number}")),
                             name=f"traffic{number}", daemon=True)
            for number, step in enumerate(steps)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is None and self.errors:
            raise self.errors[0]

    def stop(self):
        self.stopping.set()
        for thread in self._threads:
            thread.join(60)

    def _work(self, step, chance):
        try:
            connection = self._database.connect()
            with connection.cursor() as cursor:
                while not self.stopping.is_set():
                    try:
                        step(cursor, chance)
                        self.commits += 1
                    except (psycopg2.errors.DeadlockDetected, psycopg2.errors.UniqueViolation,
                            psycopg2.errors.SerializationFailure):
                        cursor.execute("rollback")  # Writers meet; the next round goes on.
                    self.stopping.wait(self.pause)
            connection.close()
        except Exception as error:  # noqa: BLE001 - raised where the traffic is stopped.
            self.errors.append(error)


def finance_steps():
    """Four writers over the finance schema, deletes, key changes and truncates among them."""
    def customers(cursor, chance):
        cursor.execute("call operations.upsert_customers(3)")
        cursor.execute("call operations.upsert_products(3)")

    def orders(cursor, chance):
        cursor.execute("call operations.place_orders(5, %s)", (chance.randrange(1, 8),))

    def churn(cursor, chance):
        name = chance.choice(["delete_orders(2)", "renumber_orders(2)", "return_customers(2)"])
        cursor.execute(f"call operations.{name}")

    def rare(cursor, chance):
        if chance.random() < 0.1:
            cursor.execute("call operations.purge_items()")
        elif chance.random() < 0.03:
            # Truncate and re-insert what is there, all in one transaction.
            cursor.execute(
                "begin; lock table operations.customers in access exclusive mode;"
                "create temp table saved on commit drop as table operations.customers;"
                "truncate operations.customers;"
                "insert into operations.customers select * from saved; commit")
        else:
            cursor.execute("call operations.place_orders(2, 2)")

    return [customers, orders, churn, rare]
