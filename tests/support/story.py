"""The frame of a short scenario: begin, change things, finish with set V."""


def begin(scene, ddl, *tables, **config):
    """Tables, publication and oracle; `run` streaming. Returns (oracle, service)."""
    scene.source.execute(ddl)
    if config:
        scene.configure(**config)
    scene.publish()
    oracle = scene.oracle(*tables)
    return oracle, scene.start_streaming()


def finish(scene, service, oracle, *specs, **options):
    """Catches up, stops in order and runs set V. Returns the model."""
    scene.catch_up(service)
    assert service.stop() == 0, service.tail()
    return scene.set_v(oracle, *specs, **options).assert_holds()


def each(scene, *statements):
    """Each statement string in a transaction of its own."""
    for statement in statements:
        scene.source.execute(statement)


KEYED = "create table operations.t (id integer primary key, v text)"
