"""A batch of kills: at the twelve failpoints and at random moments, one after the other."""

import random
import signal
import time

from ..pgchronicle import FAILPOINTS, failpoint_env
from .base import lasting

CONNECTING = ("after_connect", "during_reconnect")  # passed once, and when a connection broke
HIT_MAX = 5
AT_RANDOM = "a random moment"


def plan(seed, per_point, at_random):
    """[(point, hit)] in random order; the point of a random moment is AT_RANDOM."""
    chance = random.Random(f"{seed}/kills")
    kills = [(name, 1 if name in CONNECTING else chance.randint(1, HIT_MAX))
             for name in FAILPOINTS for _ in range(per_point)]
    kills += [(AT_RANDOM, None)] * at_random
    chance.shuffle(kills)
    return kills


def run(world, seed, per_point, at_random):
    """Kills, and starts again at once each time. Returns [(point, seconds)]: those from the start
    after the kill until the stream goes on, None where the next kill came before."""
    chance = random.Random(f"{seed}/moments")
    log = world.workdir / f"failpoints{world.scenes}.log"
    done, point_before = [], None
    world.stop()
    kills = plan(seed, per_point, at_random)
    for point, hit in kills:
        log.unlink(missing_ok=True)
        env = None if point == AT_RANDOM else failpoint_env(point, hit, log)
        service = world.start(env, wait=False)
        started = time.time()
        if point == AT_RANDOM:
            lasting(chance.uniform(0.02, 1.2))
            service.kill9()
        else:
            world.scene.wait_for_kill(service, point, hit)
            assert log.read_text().startswith(point), log.read_text()
        assert service.returncode == -signal.SIGKILL, service.tail()
        if point_before:
            done.append((point_before, _seconds_to_stream(service, started)))
        point_before = point
    started = time.time()
    service = world.start()
    done.append((point_before, _seconds_to_stream(service, started)))
    return done


def _seconds_to_stream(service, started):
    events = service.events("stream_started")
    return events[0].time.timestamp() - started if events else None
