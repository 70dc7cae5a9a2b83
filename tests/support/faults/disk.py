"""The target's disk is full. A small file system of its own is mounted, which takes root."""

import contextlib
import os
import pwd
import shutil
import subprocess

import psycopg2

from ..cluster import SERVER_USER
from ..waiting import wait_until
from .base import Fault, lasting

MIB = 1 << 20


class _SmallDisk(Fault):
    def missing(self, world):
        if os.geteuid() != 0:
            return "only root can mount a small file system"
        folder = world.workdir / "probe"
        folder.mkdir(exist_ok=True)
        tried = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
                               capture_output=True, text=True)
        if tried.returncode != 0:
            return f"no file system can be mounted here: {tried.stderr.strip()}"
        subprocess.run(["umount", str(folder)], check=True)
        return None

    def mount(self, world, mebibytes):
        folder = world.factory.base / f"small{world.target_cluster.port}"
        folder.mkdir(exist_ok=True)
        owner = pwd.getpwnam(SERVER_USER)
        subprocess.run(["mount", "-t", "tmpfs", "-o",
                        f"size={mebibytes}m,mode=0700,uid={owner.pw_uid},gid={owner.pw_gid}",
                        "tmpfs", str(folder)], check=True)
        self.folder = folder

    def fill(self):
        with contextlib.suppress(OSError), (self.folder / "filler").open("wb", 0) as filler:
            while True:
                filler.write(bytes(65536))

    def free(self):
        (self.folder / "filler").unlink()

    def finish(self, world):
        if not hasattr(self, "folder"):
            return
        try:
            self.move_back(world)
        finally:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)

    def move_back(self, world):
        """Nothing lies on the small file system afterwards."""
        raise NotImplementedError


class DiskFull(_SmallDisk):
    """One history table lies in a tablespace of its own."""

    name = "disk full under a history table of the target (53100)"

    def inject(self, world):
        self.mount(world, 96)
        world.target_cluster.execute(f"create tablespace small location '{self.folder}'")
        world.scene.target.execute("alter table analytics.la_a_history set tablespace small")
        with world.reconnecting(60):
            self.fill()
        assert "No space left" in world.service.log_text(), world.service.tail()
        lasting(self.chance.uniform(0, 2))

    def clear(self, world):
        self.free()

    def move_back(self, world):
        with contextlib.suppress(psycopg2.Error):  # It may have gone with its database.
            world.scene.target.execute("alter table analytics.la_a_history "
                                       "set tablespace pg_default")
        world.target_cluster.execute("checkpoint")  # Dropped files stay until then.
        world.target_cluster.execute("drop tablespace small")


class WalDiskFull(_SmallDisk):
    """The server ends itself then, and may be unable to start before there is room again."""

    name = "disk full under the WAL of the target"
    may_go_back = True
    room_mebibytes = 48

    def inject(self, world):
        target = world.target_cluster
        target.reload(max_wal_size="64MB", min_wal_size="32MB")
        for _ in range(2):  # The second one removes what the first one still wanted to keep.
            target.execute("checkpoint")
        with world.reconnecting():
            target.stop()
        wal = target.data / "pg_wal"
        held = sum(path.stat().st_size for path in wal.rglob("*") if path.is_file())
        self.mount(world, held // MIB + self.room_mebibytes)
        self._move(wal, self.folder)
        wal.rmdir()
        wal.symlink_to(self.folder)
        target.start()
        world.recover()
        mark = target.log_mark()
        with world.reconnecting(90):
            self.fill()
            wait_until(lambda: self._ran_out(target, mark), 60, "the server to need more WAL")
        lasting(self.chance.uniform(0, 2))

    @staticmethod
    def _move(here, there):
        for path in here.iterdir():
            subprocess.run(["cp", "-a", str(path), str(there)], check=True)
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    @staticmethod
    def _ran_out(target, mark):
        with contextlib.suppress(psycopg2.Error):  # It may be down already.
            target.execute("select pg_logical_emit_message(false, 'filler', ''), pg_switch_wal()")
        return "PANIC" in target.log_since(mark)

    def clear(self, world):
        self.free()
        wait_until(lambda: self._is_up(world.target_cluster), 60, "the target to be up again")

    @staticmethod
    def _is_up(target):
        if not target.running:
            target.start()
        try:
            target.connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def move_back(self, world):
        target = world.target_cluster
        with world.reconnecting():
            target.stop()
        wal = target.data / "pg_wal"
        if wal.is_symlink():
            wal.unlink()
            wal.mkdir(mode=0o700)
            shutil.chown(wal, SERVER_USER, SERVER_USER)
            self._move(self.folder, wal)
        target.configure(max_wal_size="4GB", min_wal_size=None)
        target.start()
        world.recover()


KINDS = [DiskFull, WalDiskFull]
