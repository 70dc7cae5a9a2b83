"""Headless Chromium for tests of the page, spoken to by the WebDriver protocol.

Debian's `chromium` and `chromium-driver` are all it needs (scripts/install-deps).
"""

import base64
import contextlib
import json
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

from .waiting import wait_until

ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1200,900",
]

# Keys as WebDriver names them.
TAB, ENTER, ESCAPE = "\ue004", "\ue007", "\ue00c"
UP, DOWN, HOME, END, SPACE = "\ue013", "\ue015", "\ue011", "\ue010", " "


class BrowserError(AssertionError):
    """The browser refused a command, or a script in the page threw."""


class Browser:
    """One browser with one tab; close() ends it and removes its profile."""

    def __init__(self):
        driver = shutil.which("chromedriver")
        if not driver:
            raise FileNotFoundError("chromedriver does not exist: run scripts/install-deps")
        self._profile = tempfile.mkdtemp(prefix="pgchronicle-browser-")
        self._driver = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", driver, "--port=0"], text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._session = None
        try:
            port = next(match.group(1) for match in (
                re.search(r"started successfully on port (\d+)", line)
                for line in self._driver.stdout) if match)
            self._base = f"http://127.0.0.1:{port}"
            self._session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome",
                "goog:loggingPrefs": {"browser": "ALL"},
                "goog:chromeOptions": {
                    "args": [*ARGUMENTS, f"--user-data-dir={self._profile}"]},
            }}})["sessionId"]
            self._base += f"/session/{self._session}"
        except BaseException:
            self.close()
            raise

    def close(self):
        if self._session:
            with contextlib.suppress(Exception):
                self._call("DELETE", "")
        self._driver.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._driver.wait(10)
        if self._driver.poll() is None:
            self._driver.kill()
            self._driver.wait()
        self._driver.stdout.close()
        shutil.rmtree(self._profile, ignore_errors=True)

    def _call(self, method, path, body=None):
        request = urllib.request.Request(
            self._base + path, method=method,
            data=None if method != "POST" else json.dumps(body or {}).encode(),
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as refused:
            said = json.load(refused)["value"]
            raise BrowserError(f"{said['error']}: {said['message']}") from None

    def devtools(self, command, **parameters):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    # -- what a person does ----------------------------------------------------------------------

    def open(self, url):
        """Loads a page from nothing, also where only the fragment of the address differs."""
        self._call("POST", "/url", {"url": "about:blank"})
        self._call("POST", "/url", {"url": url})

    def press(self, *keys):
        """Presses keys one after the other, wherever the focus is; text is typed."""
        actions = []
        for key in "".join(keys):
            actions += [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self._call("POST", "/actions", {"actions": [
            {"type": "key", "id": "keyboard", "actions": actions}]})

    def click(self, selector):
        self.script("document.querySelector(arguments[0]).click()", selector)

    def viewport(self, width, height):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=1, mobile=False)

    def colours(self, scheme):
        """"light" or "dark": what the person prefers."""
        self.devtools("Emulation.setEmulatedMedia",
                      features=[{"name": "prefers-color-scheme", "value": scheme}])

    # -- what a person sees ----------------------------------------------------------------------

    def script(self, body, *arguments):
        return self._call("POST", "/execute/sync", {"script": body, "args": list(arguments)})

    def texts(self, selector):
        """The text of every such element that is shown, spaces collapsed."""
        return self.script(
            "return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility())"
            ".map(e => e.innerText.replace(/\\s+/g, ' ').trim())", selector)

    def text(self, selector):
        return " ".join(self.texts(selector))

    def wait(self, expression, timeout=15):
        """Waits until a JavaScript expression is true in the page."""
        return wait_until(lambda: self.script(f"return ({expression})"), timeout, expression)

    def focused(self):
        """What has the focus: its id, else its data-focus, else its text or label."""
        return self.script(
            "const e = document.activeElement;"
            "return e.id || e.dataset.focus || e.getAttribute('aria-label')"
            " || e.innerText.replace(/\\s+/g, ' ').trim()")

    def console(self):
        """What the page has logged since the last time, level and message."""
        return [(entry["level"], entry["message"])
                for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))
