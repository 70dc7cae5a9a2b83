"""`pgchronicle watch` in the background, and what it printed."""

import contextlib
import json
import signal
import subprocess

from .waiting import WaitTimeout, wait_until


class Watching:
    """One process; its lines go to a file, so that it never waits for a reader."""

    def __init__(self, pipeline, *arguments, env=None, name="watch"):
        self.out_path = pipeline.workdir / f"{name}.out"
        self.err_path = pipeline.workdir / f"{name}.err"
        with self.out_path.open("ab") as out, self.err_path.open("ab") as err:
            self.out_start, self.err_start = out.tell(), err.tell()
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *pipeline.arguments("watch", *arguments)],
                env=pipeline.environment(env), cwd=pipeline.workdir, stdin=subprocess.DEVNULL,
                stdout=out, stderr=err)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill9()

    @property
    def alive(self):
        return self.process.poll() is None

    def _since(self, path, start):
        with path.open("rb") as file:
            file.seek(start)
            return file.read().decode()

    def errors(self):
        return self._since(self.err_path, self.err_start)

    def changes(self):
        """The whole lines so far."""
        text = self._since(self.out_path, self.out_start)
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def wait_for(self, condition, timeout=30, what="the condition"):
        def checked():
            result = condition()
            if not result and not self.alive:
                raise AssertionError(f"watch ended with {self.process.returncode}:\n"
                                     f"{self.errors()}")
            return result
        try:
            return wait_until(checked, timeout, what)
        except WaitTimeout as late:
            raise WaitTimeout(f"{late}\n{self.errors()}") from None

    def wait_changes(self, count, timeout=30):
        self.wait_for(lambda: len(self.changes()) >= count, timeout, f"{count} changes")
        return self.changes()

    def wait(self, timeout=30):
        return self.process.wait(timeout)

    def stop(self, timeout=30):
        if self.alive:
            self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill9(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()


def watch_all(scene, *arguments, timeout=60):
    """What `watch --until-current` prints."""
    result = scene.run("watch", "--until-current", *arguments, timeout=timeout)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]
