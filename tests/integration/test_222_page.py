"""The page at `/` in headless Chromium: overview, a row through time, a table at a moment.

Every scene ends with a look into the browser's console: a page of ours logs nothing.
"""

import statistics
from urllib.parse import urlencode

import pytest

from support.browser import DOWN, END, ENTER, ESCAPE, HOME, TAB, UP
from support.page import (HOSTILE, at_a_desk, faults_of_console, fits, foreign_hosts, headers_of,
                          low_contrasts, screenshot, serve, status_of, unlabelled, unseen_focus)
from support.scene import Scene

ODD_KEY = "a/b?c=d&e#f%2F+ü \"'"
BIG = 9007199254740993  # Not a double.
PAINT_MAX = 1000  # Milliseconds, on loopback.
VIEWS = {
    "overview": "#/",
    "row": "#/row?table=operations.orders&key=7",
    "table": "#/table?table=operations.orders",
}


class Served:
    """The pipeline, its page, and what the target's history says of order 7."""

    def __init__(self, scene):
        self.scene = scene
        scene.source.execute(
            "create table operations.orders (id bigint primary key, status text, note text, "
            "amount numeric, big bigint);"
            "create table operations.labels (label text primary key, v integer);"
            "create table operations.pairs (region text, number integer, v text, "
            "primary key (region, number));"
            "create table operations.bag (v text);"
            "alter table operations.bag replica identity full;"
            "create table operations.\"<b>odd</b>\" (id integer primary key);")
        scene.publish()
        self.service, self.base = serve(scene)
        self._write()
        scene.catch_up(self.service)
        self.versions = scene.history(
            "orders", columns="to_char(valid_from at time zone 'UTC', "
            "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), lsn_from::text, operation_type",
            where="id = 7")

    def _write(self):
        source = self.scene.source
        source.execute("insert into operations.orders values (7, 'PENDING', %s, 1.10, %s)",
                       (HOSTILE, BIG))
        source.execute("update operations.orders set status = 'PROCESSING' where id = 7")
        source.execute("update operations.orders set status = 'COMPLETED', amount = 2.00 "
                       "where id = 7")
        source.execute("delete from operations.orders where id = 7")
        source.execute("insert into operations.orders values (7, '', null, 3.000, 1)")
        source.execute("insert into operations.orders select n, 'OPEN', repeat('x', 1000), n, n "
                       "from generate_series(1001, 1250) n")
        source.execute("insert into operations.labels values (%s, 1), (%s, 2)", (HOSTILE, ODD_KEY))
        source.execute("insert into operations.pairs values ('EU', 1, 'one'), ('EU', 2, 'two')")
        source.execute("insert into operations.bag values ('same'), ('same')")

    def address(self, view, *parameters):
        return f"{self.base}/#/{view}?{urlencode(parameters)}"


@pytest.fixture(scope="module")
def served(source_cluster, target_cluster, program, tmp_path_factory):
    scene = Scene(source_cluster, target_cluster, tmp_path_factory.mktemp("page"))
    try:
        yield Served(scene)
    finally:
        scene.close()


@pytest.fixture
def browser(tab):
    with at_a_desk(tab):
        yield tab


def _open_row(browser, served, key, table="operations.orders", **more):
    keys = key if isinstance(key, (list, tuple)) else [key]
    browser.open(served.address("row", ("table", table), *[("key", str(k)) for k in keys],
                                *more.items()))
    browser.wait("document.querySelector('.timeline li[aria-selected=true]')")


def _values(browser):
    """The values of the version that is shown: column -> (text, changed)."""
    rows = browser.script(
        "return [...document.querySelectorAll('.detail tbody tr')].map(row => ["
        "row.querySelector('th').firstChild.data, row.querySelector('td').innerText,"
        "row.classList.contains('changed')])")
    return {name: (" ".join(text.split()), changed) for name, text, changed in rows}


# -- overview ------------------------------------------------------------------------------------

def test_the_overview_tells_state_lag_tables_slot_and_gaps(served, browser):
    browser.open(served.base)
    # The first look at the state may have come before the first checkpoint.
    browser.wait("document.querySelectorAll('#tables tbody tr').length === 5"
                 " && document.querySelector('#slot dd')"
                 " && document.querySelector('#health').innerText === 'streaming'")
    facts = dict(zip(browser.texts("#facts dt"), browser.texts("#facts dd"), strict=True))
    assert facts["Pipeline"] == served.scene.name
    assert (facts["State"], facts["Health"]) == ("streaming", "green")
    assert browser.text("#health") == "streaming"
    assert {"Lag", "Position"} <= set(facts)
    slot = dict(zip(browser.texts("#slot dt"), browser.texts("#slot dd"), strict=True))
    assert (slot["Name"], slot["State"]) == (served.scene.slot, "active")
    assert browser.text("#gaps") == "None: history is complete."
    assert browser.texts("#tables tbody th") == [
        "operations.<b>odd</b>", "operations.bag", "operations.labels", "operations.orders",
        "operations.pairs"]
    browser.wait("document.querySelector('#plot-lag-bytes polyline')"
                 " && document.querySelector('#plot-rows polyline')", 30)
    assert browser.script("return document.querySelector('#plot-rows .plot').ariaLabel").startswith(
        "Rows per second: ")
    assert foreign_hosts(browser) == []
    screenshot(browser, "overview")


def test_the_tables_have_row_and_version_counts(served, browser):
    browser.open(served.base)
    browser.wait("document.querySelectorAll('#tables tbody tr').length === 5")
    shown = {row[0]: (row[1], row[2]) for row in browser.script(
        "return [...document.querySelectorAll('#tables tbody tr')]"
        ".map(row => [...row.children].map(cell => cell.innerText))")}
    assert shown["operations.pairs"] == ("2", "2")
    assert shown["operations.orders"] == ("251", "255")


def test_updates_can_be_paused(served, browser):
    browser.open(served.base)
    browser.wait("document.querySelector('#facts dd')")
    browser.click("#pause")
    assert browser.script("return document.querySelector('#pause').ariaPressed") == "true"
    browser.script("window.before = performance.getEntriesByType('resource').length;"
                   "window.turns = 0; const turn = () => { window.turns += 1;"
                   "if (window.turns < 12) setTimeout(turn, 250); }; turn()")
    browser.wait("window.turns === 12")
    assert browser.script(
        "return performance.getEntriesByType('resource').length - window.before") <= 1


# -- a row through time --------------------------------------------------------------------------

def test_a_row_is_shown_as_a_timeline_of_its_versions(served, browser):
    _open_row(browser, served, 7)
    assert browser.texts(".timeline .operation") == [
        "INSERT", "UPDATE", "UPDATE", "DELETE", "INSERT"]
    assert [operation for _, _, operation in served.versions] == browser.texts(
        ".timeline .operation")
    assert browser.texts(".timeline .changed") == ["status", "status, amount"]
    assert browser.texts(".timeline .badge") == ["current"]
    assert browser.text("#row-said") == "5 versions of operations.orders, 7"
    assert browser.script("return document.querySelectorAll('.strip rect').length") == 5
    screenshot(browser, "row")


def test_a_version_marks_what_it_changed(served, browser):
    _open_row(browser, served, 7, version=3)
    assert browser.text(".detail h3") == "Version 3 of 5: UPDATE"
    assert _values(browser) == {
        "id": ("7", False),
        "status": ("COMPLETED before: PROCESSING", True),
        "note": (HOSTILE, False),
        "amount": ("2.00 before: 1.10", True),
        "big": (str(BIG), False),
    }
    _open_row(browser, served, 7, version=5)
    values = _values(browser)
    assert (values["status"][0], values["note"][0], values["amount"][0]) == (
        "empty", "NULL", "3.000")


def test_a_row_is_found_by_the_beginning_of_its_key(served, browser):
    browser.open(served.address("row", ("table", "operations.orders")))
    browser.wait("document.querySelectorAll('#row-found a').length === 20")
    browser.script("document.querySelector('#row-search').focus()")
    browser.press("125")
    browser.wait("document.querySelectorAll('#row-found a').length === 1")
    assert browser.texts("#row-found a") == ["1250"]
    browser.press("9")
    browser.wait("!document.querySelector('#row-found a')")
    assert browser.texts("#row-found li") == ["No such key."]


def test_a_key_of_several_columns_has_a_field_for_each(served, browser):
    browser.open(served.address("row", ("table", "operations.pairs")))
    browser.wait("document.querySelectorAll('#row-found a').length === 2")
    assert browser.texts("#row-keys label") == ["region", "number"]
    browser.click("#row-found li:last-child a")
    browser.wait("document.querySelector('.timeline li')")
    assert browser.text("#row-said") == "1 version of operations.pairs, region EU, number 2"
    assert _values(browser)["v"] == ("two", False)


def test_keys_with_odd_characters_are_links_like_others(served, browser):
    for key, value in ((HOSTILE, "1"), (ODD_KEY, "2")):
        browser.open(served.address("row", ("table", "operations.labels")))
        browser.wait("document.querySelectorAll('#row-found a').length === 2")
        at = browser.texts("#row-found a").index(" ".join(key.split()))
        browser.click(f"#row-found li:nth-child({at + 1}) a")
        browser.wait("document.querySelector('.timeline li')")
        assert _values(browser) == {"label": (key, False), "v": (value, False)}
    assert browser.script("return document.querySelectorAll('main img, main script').length") == 0


def test_a_table_without_key_says_so(served, browser):
    browser.open(served.address("row", ("table", "operations.bag")))
    browser.wait("document.querySelector('#row-said').textContent.includes('no key')")
    assert browser.script("return document.querySelector('#row-search').checkVisibility()") is False


def test_a_key_that_is_wrong_or_unknown_is_answered_in_words(served, browser):
    browser.open(served.address("row", ("table", "operations.orders"), ("key", "seven")))
    browser.wait("document.querySelector('#row-error [role=alert]')")
    assert "seven" in browser.text("#row-error")
    refused = faults_of_console(browser)  # The browser itself logs a refused request.
    assert len(refused) == 1 and "400" in refused[0]
    browser.open(served.address("row", ("table", "operations.orders"), ("key", "424242")))
    browser.wait("document.querySelector('#row-said').textContent"
                 " || document.querySelector('#row-error').textContent")
    said = browser.text("#row-said") + browser.text("#row-error")
    assert "No version of this key" in said or "424242" in said
    faults_of_console(browser)


# -- a table at a moment -------------------------------------------------------------------------

@pytest.mark.parametrize("version,status", [(0, "PENDING"), (1, "PROCESSING"), (2, "COMPLETED")])
def test_a_table_is_shown_as_of_a_moment(served, browser, version, status):
    browser.open(served.address("table", ("table", "operations.orders"),
                                ("at", served.versions[version][0])))
    browser.wait("document.querySelector('#table-result tbody')")
    assert browser.texts("#table-result tbody td:nth-child(2)") == [status]
    assert browser.text("#table-said").startswith("1 row at ")
    assert "Not final" not in browser.text("#table-result")
    screenshot(browser, "table")


def test_a_version_leads_to_its_table_at_that_moment_and_a_row_back(served, browser):
    _open_row(browser, served, 7, version=2)
    browser.click(".detail a")
    browser.wait("document.querySelector('#table-result tbody')")
    assert browser.script("return document.querySelector('#table-lsn').value") == (
        served.versions[1][1])
    assert browser.texts("#table-result tbody td:nth-child(2)") == ["PROCESSING"]
    browser.click("#table-result tbody a")
    browser.wait("document.querySelector('.timeline li') && !document.querySelector('#row').hidden")
    assert browser.text("#row-said") == "5 versions of operations.orders, 7"
    browser.script("history.back()")
    browser.wait("!document.querySelector('#table').hidden")


def test_a_moment_that_has_not_passed_is_not_final(served, browser):
    browser.open(served.address("table", ("table", "operations.pairs"),
                                ("at", "2999-01-01T00:00:00Z")))
    browser.wait("document.querySelector('#table-result .notice')")
    assert browser.text("#table-result .notice").startswith("Not final yet")


def test_rows_come_page_by_page_and_each_once(served, browser):
    browser.open(served.address("table", ("table", "operations.orders")))
    for count in (100, 200):
        browser.wait(f"document.querySelectorAll('#table-result tbody tr').length === {count}")
        browser.click("#table-result > button")
    browser.wait("document.querySelectorAll('#table-result tbody tr').length === 251")
    assert browser.script("return [...document.querySelectorAll('#table-result tbody th')]"
                          ".map(cell => Number(cell.innerText))") == [7, *range(1001, 1251)]
    assert browser.script("return document.querySelector('#table-result > button')") is None
    assert browser.text("#table-said").startswith("251 rows")
    assert browser.texts("#table-result .notice") == []


def test_the_moment_moves_by_steps(served, browser):
    browser.open(served.address("table", ("table", "operations.pairs"),
                                ("at", "2999-01-01T00:00:00Z")))
    browser.wait("document.querySelector('#table-result tbody')")
    browser.click("#table-steps [data-seconds='-60']")
    browser.wait("location.hash.includes('2998-12-31T23%3A59%3A00.000Z')")
    browser.click("#table-steps [data-seconds='now']")
    browser.wait("!location.hash.includes('at=')")
    browser.wait("document.querySelectorAll('#table-result tbody tr').length === 2")


# -- for everybody -------------------------------------------------------------------------------

def _tab_to(browser, wanted, most=60):
    """Presses Tab until it has the focus; each stop on the way shows that it has it."""
    for _ in range(most):
        browser.press(TAB)
        assert not unseen_focus(browser), browser.focused()
        if browser.focused() == wanted:
            return
    raise AssertionError(f"Tab does not reach {wanted}")


def test_the_keyboard_alone_is_enough(served, browser):
    browser.open(served.base)
    browser.wait("document.querySelectorAll('#tables tbody tr').length === 5")
    browser.press(TAB)
    assert browser.focused() == "skip"
    browser.press(ENTER)
    assert browser.focused() == "main"
    browser.open(served.base)
    browser.wait("document.querySelectorAll('#tables tbody tr').length === 5")
    _tab_to(browser, "A row through time")
    browser.press(ENTER)
    browser.wait("document.activeElement.id === 'row-title'")
    _tab_to(browser, "row-table")
    browser.press("operations.o")
    browser.wait("document.querySelector('#row-table').value === 'operations.orders'")
    _tab_to(browser, "row-search")
    browser.press("7")
    browser.wait("document.querySelectorAll('#row-found a').length === 1")
    browser.press(DOWN)
    assert browser.focused() == "7"
    assert not unseen_focus(browser)
    browser.press(ENTER)
    browser.wait("document.querySelectorAll('.timeline li').length === 5")
    _tab_to(browser, browser.texts(".timeline li")[-1])
    for key, version in ((UP, 4), (UP, 3), (DOWN, 4), (HOME, 1), (UP, 1), (END, 5), (DOWN, 5)):
        browser.press(key)
        assert browser.text(".detail h3").startswith(f"Version {version} of 5")
        assert not unseen_focus(browser)
        assert f"version={version}" in browser.script("return location.hash")
    browser.press(ESCAPE)
    assert browser.focused() == "row-search"


def test_an_update_leaves_the_focus_where_it_is(served, browser):
    browser.open(served.base)
    browser.wait("document.querySelectorAll('#tables tbody tr').length === 5")
    browser.script("document.querySelector('[data-focus=\"table operations.bag\"]').focus()")
    served.scene.source.execute("insert into operations.bag values ('another')")
    browser.wait("[...document.querySelectorAll('#tables tbody tr')]"
                 ".some(row => row.innerText.includes('bag') && row.children[2].innerText === '3')",
                 30)
    assert browser.focused() == "table operations.bag"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_fits_a_narrow_screen_in_both_schemes(served, browser, view, scheme):
    ready = {"overview": "#plot-rows svg text", "row": ".detail td", "table": "#table-result td"}
    browser.colours(scheme)
    browser.viewport(320, 800)
    browser.open(f"{served.base}/{VIEWS[view]}")
    browser.wait(f"document.querySelector('{ready[view]}')", 30)
    assert fits(browser)
    assert low_contrasts(browser) == []
    assert unlabelled(browser) == []
    dark = browser.script("return getComputedStyle(document.body).backgroundColor")
    assert dark == ("rgb(20, 24, 28)" if scheme == "dark" else "rgb(255, 255, 255)")
    screenshot(browser, f"{view}-320-{scheme}")


def test_the_first_paint_is_under_a_second(served, browser):
    paints = []
    for _ in range(3):
        browser.open(served.base)
        browser.wait("performance.getEntriesByName('first-contentful-paint').length")
        paints.append(browser.script(
            "return performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    assert statistics.median(paints) < PAINT_MAX


def test_the_page_may_run_nothing_but_its_own_files(served, browser):
    policy = headers_of(served.base)["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    browser.open(served.base)
    browser.wait("document.querySelector('#facts dd')")
    # What an attacker's markup would do is refused, and that is what the console then tells.
    browser.script("const s = document.createElement('script'); s.textContent ="
                   "'document.title = \"pwned\"'; document.body.append(s)")
    refused = faults_of_console(browser)
    assert refused and all("Content Security Policy" in message for message in refused)


def test_a_server_that_is_gone_is_told_of(served, browser):
    """The last scene: it stops the server."""
    browser.open(served.base)
    browser.wait("document.querySelector('#facts dd')")
    assert served.service.stop() == 0
    browser.wait("document.querySelector('#overview-error [role=alert]')")
    assert browser.text("#overview-error").startswith("the server does not answer")
    assert status_of(served.base) is None
    assert all("ERR_CONNECTION_REFUSED" in message or "ERR_EMPTY_RESPONSE" in message
               or "ERR_CONNECTION_RESET" in message for message in faults_of_console(browser))
    browser.open("about:blank")
