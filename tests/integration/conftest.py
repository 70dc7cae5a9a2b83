"""Servers and scenes for the integration tests."""

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.browser import Browser  # noqa: E402
from support.cluster import ClusterFactory  # noqa: E402
from support.finance import Finance  # noqa: E402
from support.pgchronicle import EXIT_DONE, binary  # noqa: E402
from support.roles import create_roles  # noqa: E402
from support.scene import Scene  # noqa: E402


def pytest_configure(config):
    """SIGTERM (a time limit around the tests, say) cleans up as Ctrl-C does."""
    def interrupt(number, frame):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupt)


@pytest.fixture(scope="session")
def factory():
    """Makes clusters; all of them are gone when the session ends."""
    made = ClusterFactory()
    yield made
    made.close()


@pytest.fixture(scope="session")
def source_cluster(factory, record_testsuite_property):
    """The source server that tests share, each in its own database."""
    cluster = factory.create("source", "source").start()
    record_testsuite_property("source", cluster.query("show server_version")[0][0])
    create_roles(cluster)
    return cluster


@pytest.fixture(scope="session")
def target_cluster(factory, record_testsuite_property):
    """The target server that tests share. Its system identifier is another than the source's."""
    cluster = factory.create("target", "target").start()
    record_testsuite_property("target", cluster.query("show server_version")[0][0])
    create_roles(cluster)
    return cluster


@pytest.fixture
def new_cluster(factory, request):
    """Makes clusters of the test's own, for tests that stop or freeze a server.

    The role's name ends with the side: idle_source, stalled_target.
    """
    made = []

    def make(role, fresh=False, **settings):
        side = role.rsplit("_", 1)[-1]
        name = f"{role}{len(factory._clusters)}"
        cluster = factory.create(name, side, fresh=fresh, **settings).start()
        made.append(cluster)
        create_roles(cluster)
        return cluster

    yield make
    for cluster in made:
        cluster.destroy()


@pytest.fixture(scope="session")
def program():
    """The program under test has to exist: a missing one is a failure and no skip."""
    return binary()


@pytest.fixture(scope="module")
def live_finance(program, tmp_path_factory):
    """The finance example, streaming, on servers of the module's own."""
    factory = ClusterFactory()
    made = Finance(factory.create("finance_source", "source").start(),
                   factory.create("finance_target", "target").start(),
                   tmp_path_factory.mktemp("finance"))
    made.service = made.start_streaming()
    yield made
    assert made.service.stop() == EXIT_DONE
    made.close()
    factory.close()


@pytest.fixture(scope="module")
def tab():
    """One browser for all scenes of a page."""
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def make_scene(tmp_path):
    """Makes scenes on given clusters."""
    made = []

    def make(source_cluster, target_cluster, **options):
        scene = Scene(source_cluster, target_cluster, tmp_path / f"scene{len(made)}", **options)
        made.append(scene)
        return scene

    yield make
    for scene in made:
        scene.close()


@pytest.fixture
def scene(make_scene, source_cluster, target_cluster, program):
    """A scene on the shared servers."""
    return make_scene(source_cluster, target_cluster)


@pytest.fixture
def bare_scene(make_scene, source_cluster, target_cluster):
    """A scene for tests of the harness, which need no program."""
    return make_scene(source_cluster, target_cluster)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the program said."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Scene):
                report.sections.append(("pgchronicle log", value.pipeline.whole_log()[-6000:]))
