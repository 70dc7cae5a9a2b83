"""The load of the fault campaign: writers that go on whatever becomes of the source."""

import contextlib
import random
import threading

import psycopg2

from ..database import connection_lost
from ..waiting import wait_until
from ..workloads.drive import SETTINGS, Drive


class Load(Drive):
    """Writers of workloads until told to stop. Who loses its connection makes another one."""

    def __init__(self, database, workloads, seed, pause):
        super().__init__(database, workloads, seed)
        self.pause = pause
        self._stopping = threading.Event()
        self._threads = []

    def start(self):
        self._rounds += 1
        self._stopping.clear()
        self._threads = [
            threading.Thread(target=self._go_on, args=(workload, number), daemon=True,
                             name=f"{workload.name} {number}")
            for workload in self.workloads for number in range(workload.writers)]
        for thread in self._threads:
            thread.start()

    def stop(self):
        """Returns when nobody writes any more."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), f"writer {thread.name} does not end"
        self._threads = []
        if self._errors:
            raise self._errors[0]

    def wait_more(self, transactions, timeout=60):
        """Waits until so many more are committed."""
        goal = sum(self.committed.values()) + transactions
        wait_until(lambda: sum(self.committed.values()) >= goal or self._errors, timeout,
                   f"{transactions} transactions of the load")

    def witness(self):
        """The source's own digest, now."""
        self._witness()

    def _go_on(self, workload, number):
        chance = random.Random(f"{self.seed}/{workload.name}/{number}/{self._rounds}")
        while not self._stopping.is_set():
            try:
                self._write_on(workload, chance)
            except psycopg2.Error as error:
                if not connection_lost(error):
                    self._errors.append(error)
                    return
                self._stopping.wait(0.2)  # The source is down, which may be the fault.
            except Exception as error:  # noqa: BLE001 - raised by stop().
                self._errors.append(error)
                return

    def _write_on(self, workload, chance):
        with contextlib.closing(self.database.connect(autocommit=False, **SETTINGS)) as connection:
            while not self._stopping.is_set():
                if self._transaction(connection, workload, chance):
                    with self._lock:
                        self.committed[workload.name] += 1
                # At random moments, so that commits come in bunches as well.
                self._stopping.wait(chance.expovariate(1 / self.pause))
