"""Copies of a running server: as from a backup, or as a standby that may take its place."""

import contextlib
import os
import shutil
import subprocess

from .cluster import SERVER_USER
from .lsn import parse_lsn
from .waiting import wait_until


def base_backup(cluster, folder):
    """What pg_basebackup does, which servers from elsewhere come without."""
    with contextlib.closing(cluster.connect()) as connection, connection.cursor() as cursor:
        old = connection.server_version < 150000
        cursor.execute("select pg_start_backup('copy', true, false)" if old else
                       "select pg_backup_start('copy', true)")
        # Files that vanish meanwhile are in the WAL.
        subprocess.run(["cp", "-a", str(cluster.data), str(folder)], stderr=subprocess.DEVNULL)
        cursor.execute("select labelfile from " +
                       ("pg_stop_backup(false)" if old else "pg_backup_stop(false)"))
        label = cursor.fetchone()[0]
    shutil.rmtree(folder / "pg_wal")
    copied = subprocess.run(["cp", "-a", str(cluster.data / "pg_wal"), str(folder)],
                            stderr=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C"})
    # Segments that are made or removed meanwhile are not of the backup.
    assert all("No such file" in line for line in copied.stderr.splitlines()), copied.stderr
    for gone in ("postmaster.pid", "postmaster.opts"):
        (folder / gone).unlink(missing_ok=True)
    for slot in (folder / "pg_replslot").iterdir():
        shutil.rmtree(slot)
    (folder / "backup_label").write_text(label)
    _own(folder / "backup_label")
    return folder


def backup_of(factory, cluster):
    """A cluster that is not started yet, of a backup of this one."""
    return factory.copy_of(cluster, f"copy{len(factory._clusters)}_source", base_backup)


def standby_of(factory, primary, dbname="postgres", **settings):
    """The same as a standby that will follow its primary. `dbname` is what slots are synchronised
    through."""
    standby = backup_of(factory, primary)
    (standby.data / "standby.signal").touch()
    _own(standby.data / "standby.signal")
    standby.configure(primary_conninfo=f"'host={primary.socket_dir} port={primary.port} "
                                       f"user={SERVER_USER} dbname={dbname}'", **settings)
    return standby


def _own(path):
    if os.geteuid() == 0:
        shutil.chown(path, SERVER_USER, SERVER_USER)


def replayed(standby):
    """Up to where it has."""
    return parse_lsn(standby.query("select pg_last_wal_replay_lsn()::text")[0][0])


def wait_replayed(standby, end):
    wait_until(lambda: replayed(standby) >= end, 30, "the standby to have replayed it")


def promote(standby):
    assert standby.query("select pg_promote()") == [(True,)]


def take_place(primary, standby):
    """Puts the promoted standby under the address of the primary, which has stopped: clients
    connect to it as to the same server. What was the primary's data is then the standby's."""
    assert not primary.running
    standby.stop()
    primary.data, standby.data = standby.data, primary.data
    primary.start()
