"""A scene whose page is served, and what a browser has to find true on any of its views."""

import contextlib
import os
import urllib.error
import urllib.request

from .cluster import free_port
from .pgchronicle import REPO

# Kept out of git; a person looks at them after a change of the page.
SCREENSHOTS = REPO / os.environ.get("PGCHRONICLE_SCREENSHOTS", "build/screenshots")

HOSTILE = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>"


def serve(scene, **changes):
    """Starts `run` with HTTP and waits until it answers; the service and the page's address."""
    listen = f"127.0.0.1:{free_port()}"
    scene.configure(http={"listen": listen}, **changes)
    service = scene.start_streaming()
    base = f"http://{listen}"
    service.wait_for(lambda: status_of(base + "/health") == 200, 30, "an answer over HTTP")
    return service, base


@contextlib.contextmanager
def at_a_desk(tab):
    """The browser as a person at a desk has it. In the end its console has no complaint: a scene
    that expects a refusal reads that itself."""
    tab.viewport(1200, 900)
    tab.colours("light")
    tab.console()
    yield tab
    assert faults_of_console(tab) == []
    assert tab.script("return document.title.includes('pwned')") is False


def status_of(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return None


def headers_of(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.headers


def screenshot(browser, name):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    browser.screenshot(SCREENSHOTS / f"{name}.png")


def faults_of_console(browser):
    """What the page logged that is more than a remark."""
    return [message for level, message in browser.console() if level in ("WARNING", "SEVERE")]


def fits(browser):
    """The page itself does not scroll sideways."""
    return browser.script("const e = document.documentElement;"
                          "return e.scrollWidth <= e.clientWidth && document.body.scrollWidth"
                          " <= e.clientWidth")


def foreign_hosts(browser):
    """Addresses of other hosts that the page has loaded anything from."""
    return browser.script(
        "return performance.getEntriesByType('resource').map(e => e.name)"
        ".filter(name => new URL(name).origin !== location.origin)")


def low_contrasts(browser, least=4.5):
    """Elements whose own text stands out less than that from what is behind it."""
    return browser.script("""
        const light = colour => {
          const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(v => {
            const part = v / 255;
            return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const behind = element => {
          for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (!/, 0\\)$/.test(colour)) return colour;
          }
          return 'rgb(255, 255, 255)';
        };
        return [...document.querySelectorAll('body *')].filter(element =>
          element.checkVisibility() && !element.disabled
          && [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
        .map(element => {
          const style = getComputedStyle(element);
          const one = light(element instanceof SVGElement ? style.fill : style.color);
          const other = light(behind(element));
          const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
          return [contrast, element.tagName + ': ' + element.textContent.trim().slice(0, 40)];
        }).filter(([contrast]) => contrast < arguments[0]);
    """, least)


def unseen_focus(browser):
    """Whether what has the focus does not show it."""
    return browser.script(
        "const style = getComputedStyle(document.activeElement);"
        "return document.activeElement !== document.body"
        " && (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2)")


def unlabelled(browser):
    """Controls that say nothing to who cannot see them."""
    return browser.script("""
        const named = element => element.getAttribute('aria-label')
          || element.getAttribute('aria-labelledby') || element.labels?.length
          || element.textContent.trim();
        return [...document.querySelectorAll('a, button, input, select, textarea, [tabindex="0"]')]
          .filter(element => element.checkVisibility() && !named(element))
          .map(element => element.outerHTML.slice(0, 100));
    """)
