"""Workloads that check themselves: each writes so that its history can be judged by arithmetic."""

from .bank import Bank
from .list_append import ListAppend
from .savepoint import Savepoint
from .schema import Schema
from .toast import Toast
from .toggle import Toggle

WORKLOADS = {kind.name: kind for kind in (ListAppend, Bank, Toggle, Toast, Savepoint, Schema)}
