"""The API page at `/docs` in headless Chromium: complete from this server alone, and it works."""

import json
import urllib.request

import pytest

from support.browser import ENTER, SPACE, TAB
from support.page import (HOSTILE, at_a_desk, faults_of_console, fits, foreign_hosts, low_contrasts,
                          screenshot, serve, unlabelled, unseen_focus)
from support.scene import Scene

REPORT = """\
-- name: items_by_kind
-- path: /items
-- description: Items of a kind, <b>largest</b> first.
-- param: kind text = small one of small, large, all -- which kind
-- param: limit integer = 3 min 1 max 100 -- how many
SELECT id, kind, note FROM analytics.items_current
WHERE :kind = 'all' OR kind = :kind ORDER BY id DESC LIMIT :limit
"""
BIG = 9007199254740993


@pytest.fixture(scope="module")
def served(source_cluster, target_cluster, program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    scene = Scene(source_cluster, target_cluster, folder / "scene")
    (folder / "reports").mkdir()
    (folder / "reports" / "items_by_kind.sql").write_text(REPORT)
    try:
        scene.source.execute(
            "create table operations.items (id bigint primary key, kind text, note text)")
        scene.publish()
        service, base = serve(scene, reports={"dir": str(folder / "reports")})
        scene.source.execute("insert into operations.items values (%s, 'large', %s), "
                             "(2, 'small', 'two'), (3, 'small', null)", (BIG, HOSTILE))
        scene.catch_up(service)
        yield base
    finally:
        scene.close()


@pytest.fixture
def page(tab, served):
    """The page, open and read."""
    with at_a_desk(tab):
        tab.open(served + "/docs")
        tab.wait("document.querySelector('#operations details')")
        yield tab


def _openapi(served):
    with urllib.request.urlopen(served + "/openapi.json", timeout=10) as answer:
        return json.load(answer)


def _operation(page, path):
    """Opens the operation of a path, marked so that selectors find it."""
    page.script("""
        document.querySelectorAll('.tried').forEach(e => e.classList.remove('tried'));
        const found = [...document.querySelectorAll('details')]
          .find(e => e.querySelector('summary code').textContent === arguments[0]);
        found.open = true;
        found.classList.add('tried');
    """, path)


def _try(page, path, **values):
    _operation(page, path)
    for name, value in values.items():
        page.script("document.querySelector('.tried form').elements.namedItem(arguments[0]).value ="
                    "arguments[1]", name, value)
    page.click(".tried button[type=submit]")
    page.wait("/ in \\d+ ms$/.test(document.querySelector('.tried .status')?.textContent ?? '')")
    return page.text(".tried .status"), page.script(
        "return document.querySelector('.tried .body').textContent")


def test_it_lists_every_operation_by_tag(served, page):
    document = _openapi(served)
    documented = sorted(f"{method.upper()} {path}" for path, item in document["paths"].items()
                        for method in item if method in ("get", "post", "put", "delete"))
    listed = page.script("return [...document.querySelectorAll('summary')].map(e =>"
                         "e.querySelector('.method').textContent + ' '"
                         "+ e.querySelector('code').textContent)")
    assert sorted(listed) == documented
    assert "GET /items" in listed and "GET /tables/{table}/history" in listed
    tags = {operation.get("tags", ["other"])[0] for item in document["paths"].values()
            for method, operation in item.items() if method == "get"}
    assert set(page.texts("#operations h3")) == tags
    assert document["info"]["title"] in page.text("#title")


def test_it_needs_no_other_host(served, page):
    assert foreign_hosts(page) == []
    assert page.script("return [...document.querySelectorAll('[src], link[href]')]"
                       ".filter(e => new URL(e.src || e.href).origin !== location.origin).length"
                       ) == 0


def test_a_parameter_tells_type_default_and_what_is_allowed(page):
    _operation(page, "/items")
    assert page.texts(".tried form label") == ["kind", "limit", "min_lsn"]
    said = page.texts(".tried form p")
    assert all(part in said[0] for part in ("in query", "string", 'default "small"',
                                            "one of small, large, all", "which kind"))
    assert all(part in said[1] for part in ("integer", "default 3", "from 1", "to 100"))
    assert page.script("return [...document.querySelectorAll('.tried select option')]"
                       ".map(e => e.value)") == ["", "small", "large", "all"]


def test_try_it_shows_status_headers_and_body(served, page):
    status, body = _try(page, "/items", kind="all", limit="2")
    assert status.startswith("200")
    assert page.text(".tried .asked") == f"GET {served}/items?kind=all&limit=2"
    headers = page.script("return document.querySelector('.tried .headers').textContent")
    assert "content-type: application/json" in headers and "etag: " in headers
    # Indented, and every value as it was sent: no double in between, no markup.
    assert body == json.dumps([{"id": BIG, "kind": "large", "note": HOSTILE},
                               {"id": 3, "kind": "small", "note": None}], indent=2)
    assert page.script("return document.querySelectorAll('main img, main script').length") == 0
    screenshot(page, "docs")


def test_what_is_not_filled_in_is_not_sent(served, page):
    _, body = _try(page, "/items")
    assert page.text(".tried .asked") == f"GET {served}/items"
    assert [row["id"] for row in json.loads(body)] == [3, 2]


def test_a_refusal_is_shown_like_any_answer(page):
    status, body = _try(page, "/items", limit="0")
    assert status.startswith("400")
    assert set(json.loads(body)["error"]) >= {"message", "detail", "hint", "code"}
    assert all("400" in message for message in faults_of_console(page))


def test_values_in_a_path_and_repeated_ones_are_sent(served, page):
    status, body = _try(page, "/tables/{table}/history", table="operations.items", key="2")
    assert page.text(".tried .asked") == f"GET {served}/tables/operations.items/history?key=2"
    assert status.startswith("200")
    assert [version["values"]["note"] for version in json.loads(body)["versions"]] == ["two"]


def test_events_are_shown_while_they_come_and_can_be_stopped(page):
    _operation(page, "/changes")
    page.click(".tried button[type=submit]")
    page.wait("(document.querySelector('.tried .status')?.textContent ?? '').startsWith('200')")
    page.click(".tried .line button:last-child")
    page.wait("document.querySelector('.tried .status').textContent.includes('stopped')")


def test_an_address_opens_its_operation(served, page):
    name = _openapi(served)["paths"]["/items"]["get"]["operationId"]
    page.open(f"{served}/docs#{name}")
    page.wait("document.querySelector('details[open]')")
    assert page.texts("details[open] summary code") == ["/items"]


def test_the_keyboard_is_enough(page):
    page.script("[...document.querySelectorAll('summary')].find(e => e.textContent"
                ".includes('/items')).focus()")
    page.press(SPACE)
    page.wait("document.querySelector('details[open]')")
    for _ in range(4):  # Three fields, then the button.
        page.press(TAB)
        assert not unseen_focus(page)
    assert page.focused() == "Try it"
    page.press(ENTER)
    page.wait("(document.querySelector('details[open] .status')?.textContent ?? '')"
              ".startsWith('200')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_narrow_screen_in_both_schemes(page, scheme):
    page.colours(scheme)
    page.viewport(320, 800)
    page.script("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    assert fits(page)
    assert low_contrasts(page) == []
    assert unlabelled(page) == []
