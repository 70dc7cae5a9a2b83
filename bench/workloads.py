"""The workloads: what the source holds before, the load that is read, and the goals."""

from dataclasses import dataclass, field

from tables import DOCUMENTS, NEXT_KEY, ORDERS, RANDOM_KEY, WIDE, Table

# What the user asked for: more than 100 M records in 10 minutes.
WANTED_ROWS_A_SECOND = 167_000


@dataclass(frozen=True)
class Workload:
    """A recorded load that every contender streams.

    `goals`: ratios of rates against R1 to R3; `cost`: at most so many times what a change costs
    the contender "base"; `memory_mib`: resident memory; `rows_a_second`.
    """
    name: str
    title: str
    kind: str             # 'insert' | 'update'
    rows_before: int      # rows that source and target hold when the load begins
    transactions: int
    per_transaction: int
    keys: int = 0         # updates choose among the keys 1 .. keys
    goals: dict = field(default_factory=dict)
    table: Table = ORDERS
    key: str = RANDOM_KEY           # how an update chooses its key
    contenders: tuple = ("R1", "R2", "R3", "pgchronicle")
    base: "Workload" = None         # what the contender "base" streams; None: the same load
    base_title: str = ""
    # Versions that the history holds of each key before the load: SQL over `key`, by contender.
    stored_versions: dict = field(default_factory=dict)
    batch_rows: int = None          # batch.max_rows where the default would hide what is asked

    @property
    def changes(self):
        return self.transactions * self.per_transaction

    @property
    def rows_after(self):
        return self.rows_before + (self.changes if self.kind == "insert" else 0)

    @property
    def versions_after(self):
        """Each insert makes one version, and so does each update."""
        return self.rows_before + self.changes


@dataclass(frozen=True)
class CopyWorkload:
    """The initial copy of a table that nobody writes, into an empty target."""
    name: str
    title: str
    rows_before: int
    goals: dict
    table: Table = ORDERS
    key: str = RANDOM_KEY
    contenders: tuple = ("R4", "pgchronicle")

    @property
    def changes(self):
        return self.rows_before


@dataclass(frozen=True)
class PacedWorkload:
    """Single-row transactions at a fixed pace, read by a pgchronicle that runs all the time."""
    name: str
    title: str
    rows_before: int
    per_second: int
    seconds: int
    goals: dict
    table: Table = ORDERS
    key: str = RANDOM_KEY
    contenders: tuple = ("pgchronicle",)

    @property
    def ticks(self):
        return self.per_second * self.seconds

    @property
    def changes(self):
        return self.ticks


def shown(number):
    return f"{number:,}"


def _streamed(rows):
    return [
        Workload("W1", f"{shown(rows)} inserts, 1,000 a transaction",
                 "insert", 0, max(1, rows // 1000), 1000,
                 goals={"R1": 0.8, "R2": 1.8, "R3": 4.5, "rows_a_second": WANTED_ROWS_A_SECOND}),
        Workload("W2", f"{shown(rows)} updates of random keys among {shown(rows)}, "
                       "100 a transaction",
                 "update", rows, rows // 100, 100, rows, {"R1": 0.45, "R2": 1.7, "R3": 4.5}),
        Workload("W3", f"{shown(rows)} updates of 1,000 hot keys, 100 a transaction",
                 "update", rows, rows // 100, 100, min(1000, rows),
                 {"R1": 0.75, "R2": 2.5, "R3": 50}),
        Workload("W4", f"{shown(rows // 5)} single-row transactions, random keys",
                 "update", rows, rows // 5, 1, rows,
                 {"R1": 0.65, "R2": 1.7, "R3": 5, "memory_mib": 96}),
    ]


def _large_transaction(rows):
    inserts = 5 * rows
    return Workload(
        "W5", f"one transaction of {shown(inserts)} inserts", "insert", 0, 1, inserts,
        # memory_limit is 256 MiB by default.
        goals={"cost": 1.1, "memory_mib": 256 + 64, "rows_a_second": WANTED_ROWS_A_SECOND},
        contenders=("R1", "R2", "base", "pgchronicle"), base_title="W1's load",
        base=Workload("W5base", "W1 beside W5", "insert", 0, max(1, rows // 1000), 1000))


def _wide(rows):
    shared = {"contenders": ("R1", "R2", "pgchronicle"), "goals": {"R1": 0.8, "R2": 1.3}}
    wide, documents = rows // 5, max(100, rows // 20)
    return [
        Workload("W8a", f"{shown(wide)} inserts of 60 columns, 1 KB, 100 a transaction",
                 "insert", 0, wide // 100, 100, table=WIDE, **shared),
        Workload("W8b", f"{shown(wide)} updates of 60 columns, random keys, 100 a transaction",
                 "update", wide, wide // 100, 100, wide, table=WIDE, **shared),
        Workload("W8c", f"{shown(documents)} updates that leave documents of 20 KB as they are, "
                        "random keys, 10 a transaction",
                 "update", documents, documents // 10, 10, documents, table=DOCUMENTS, **shared),
    ]


def _stored(rows):
    """S1: 20 versions of each key, against one. S2: all the same, but where they lie."""
    load = rows // 5
    deep, hot, cold = max(10, rows // 10), 100, 1000
    spread = (hot * deep + cold - 2 * hot) // cold
    return [
        Workload("S1", f"{shown(load)} updates of random keys at {shown(20 * rows)} stored "
                       "versions, 100 a transaction",
                 "update", rows, load // 100, 100, rows, {"cost": 1.15},
                 contenders=("base", "pgchronicle"), base_title=f"{shown(rows)} stored versions",
                 stored_versions={"base": "1", "pgchronicle": "20"}),
        Workload("S2", f"{shown(load)} updates of {hot} keys of {shown(deep)} versions each, "
                       f"{hot} closes a batch",
                 "update", hot + cold, load // hot, hot, hot, {"cost": 1.15}, key=NEXT_KEY,
                 contenders=("base", "pgchronicle"), base_title="keys of two versions",
                 # As many versions in both, so that only the depth of the closed keys differs.
                 stored_versions={"base": f"CASE WHEN key <= {hot} THEN 2 ELSE {spread} END",
                                  "pgchronicle": f"CASE WHEN key <= {hot} THEN {deep} ELSE 1 END"},
                 batch_rows=hot),
    ]


def _paced(full, runs):
    per_second, seconds = 500, 60 if full else 5
    # Each transaction has a key of its own, so that its version stays open (latency.py).
    keys = max(100_000 if full else 20_000, (runs * seconds + 2) * per_second // 1000 * 1000)
    return PacedWorkload("W7", f"{per_second} paced single-row transactions a second for "
                               f"{seconds} s", keys, per_second, seconds,
                         {"p50_ms": 5, "p99_ms": 25})


def all_workloads(rows, runs=3):
    """All of the goals, at `rows` (1,000,000 is full size)."""
    copy = CopyWorkload("W6", f"initial copy of {shown(10 * rows)} rows", 10 * rows,
                        {"R4": 0.9, "rows_a_second": WANTED_ROWS_A_SECOND})
    made = [*_streamed(rows), _large_transaction(rows), copy, _paced(rows >= 1_000_000, runs),
            *_wide(rows), *_stored(rows)]
    return {workload.name: workload for workload in made}
