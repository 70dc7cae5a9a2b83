"""Somebody tampers with the checkpoint."""

from .base import Fault


class _Tampered(Fault):
    """The row as it was when it was changed is kept, and put back."""

    watched = False
    while_running = False
    change = None  # SQL of the columns that get other values; None: the row is deleted.

    def inject(self, world):
        if not self.while_running:
            world.stop()
        with world.scene.target.transaction() as cursor:
            cursor.execute(
                "create table public.kept (like pgchronicle.checkpoint);"
                "lock table pgchronicle.checkpoint in exclusive mode;"
                "insert into public.kept select * from pgchronicle.checkpoint")
            cursor.execute("delete from pgchronicle.checkpoint" if self.change is None else
                           f"update pgchronicle.checkpoint set {self.change}")
        if not self.while_running:
            world.start(wait=False)

    def clear(self, world):
        with world.scene.target.transaction() as cursor:
            cursor.execute("delete from pgchronicle.checkpoint;"
                           "insert into pgchronicle.checkpoint select * from public.kept;"
                           "drop table public.kept")


class Deleted(_Tampered):
    name = "checkpoint deleted"
    stops = "is missing beside its history"


class MovedBack(_Tampered):
    name = "checkpoint moved back"
    stops = "slot is ahead of the checkpoint"
    change = "position = slot_start, last_commit_end = slot_start"


class MovedForward(_Tampered):
    name = "checkpoint moved forward"
    stops = "checkpoint is ahead of the source"
    change = "position = '7FF/0', last_commit_end = '7FF/0'"


class OtherSlot(_Tampered):
    name = "checkpoint of another slot"
    stops = "belongs to another source"
    change = "slot = 'another_slot'"


class OtherCluster(_Tampered):
    name = "checkpoint of another cluster"
    stops = "belongs to another source"
    change = "system_identifier = '7000000000000000007'"


class DeletedMeanwhile(_Tampered):
    name = "checkpoint deleted while we write"
    stops = "has disappeared"
    while_running = True


class MovedMeanwhile(_Tampered):
    name = "checkpoint moved while we write"
    stops = "any more"
    while_running = True
    change = "position = slot_start, last_commit_end = slot_start"


KINDS = [Deleted, MovedBack, MovedForward, OtherSlot, OtherCluster, DeletedMeanwhile,
         MovedMeanwhile]
