"""What a kind of fault consists of."""

import random
import threading


class Fault:
    """One kind. A fresh object is one try; everything random comes from `chance`."""

    name = ""  # as the table calls it
    # A pattern of what the program says when it ends with exit code 3; None: it goes on by itself.
    stops = None
    # It is one transaction that cannot be written: those before it may be, by each further start.
    at_a_transaction = False
    watched = True  # False where the fault itself changes what the watcher compares.
    may_go_back = False  # A target that crashes may take back a commit that it has shown.
    ends_scene = False  # Nothing can go on after it: databases and slot are made anew.

    def __init__(self, seed):
        self.chance = random.Random(f"{seed}/{self.name}")

    def missing(self, world):
        """What this machine lacks for it, or None."""

    def inject(self, world):
        """Returns when the fault is in force and, where that can be known, has struck."""

    def clear(self, world):
        """Removes the cause, and nothing else."""

    def finish(self, world):
        """Afterwards, when all is judged: takes away what the fault needed."""


def lasting(seconds):
    """Lets a fault last. How long it lasts is the fault; nothing is synchronised by it."""
    threading.Event().wait(seconds)
