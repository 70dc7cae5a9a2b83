"""Kinds of fault, each a small class: how it is made, how it is cleared, what the program must do.

`world.py` is where they happen, `campaign.py` when; `python3 -m support.faults` runs the campaign.
"""

from . import (checkpoint, clones, connections, disk, history, network, process, servers, slot,
               target, transactions)

KINDS = [kind for module in (process, transactions, servers, connections, network, target, disk,
                             history, checkpoint, slot, clones) for kind in module.KINDS]
