"""Looks at a report in headless Chromium over its DevTools protocol: check_report.py REPORT SCREENSHOTS.

Fails on: a message or error in the console, a request to the network, a filter that shows the wrong rows, a link whose file
or anchor is not there, a page wider than a phone. Leaves screenshots to be looked at: desktop (light, dark), phone, print.
Needs Chromium and the package websocket-client (scripts/requirements.txt); `just check-report` sees to both.
"""

import base64
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import websocket

DESKTOP = (1280, 800)
PHONE = (390, 844)
# Pictures of a whole page are cut here: longer ones cannot be drawn.
LONGEST = 12_000


class Browser:
    """A page of a headless Chromium with a profile of its own."""

    def __init__(self, home):
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if program is None:
            sys.exit("There is no Chromium: install the package chromium.")
        options = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--remote-debugging-port=0", "--remote-allow-origins=*",
        ]
        self.process = subprocess.Popen(
            [program, *options, f"--user-data-dir={home}", "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            port, path = self._address(Path(home) / "DevToolsActivePort")
            self.socket = websocket.create_connection(f"ws://127.0.0.1:{port}{path}", timeout=120)
            self.events, self.sent, self.session = [], 0, None
            target = self.ask("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ["Page", "Runtime", "Log", "Network"]:
                self.ask(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def _address(self, file):
        for _ in range(600):
            if self.process.poll() is not None:
                sys.exit(f"Chromium ended with {self.process.returncode} before it could be asked anything.")
            lines = file.read_text().splitlines() if file.exists() else []
            if len(lines) == 2:
                return lines
            time.sleep(0.1)
        sys.exit("Chromium did not start within a minute.")

    def ask(self, method, **parameters):
        """Sends a command and waits for its answer; events that come meanwhile are kept."""
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": parameters}
        self.socket.send(json.dumps(message | ({"sessionId": self.session} if self.session else {})))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.sent:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def value(self, expression):
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, address, size, dark=False, mobile=False):
        width, height = size
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url=address)
        self.value("new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))")
        # What loading has put off is said by now.
        time.sleep(0.5)

    def picture(self, path, whole=False):
        options = {}
        if whole:
            page = self.ask("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": page["width"], "height": min(page["height"], LONGEST), "scale": 1}
            options = {"captureBeyondViewport": True, "clip": clip}
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", **options)["data"]))

    def complaints(self):
        """What was said in the console, thrown, or asked of the network."""
        for event in self.events:
            parameters = event.get("params", {})
            match event.get("method"):
                case "Runtime.exceptionThrown":
                    yield f"thrown: {parameters['exceptionDetails']['text']}"
                case "Runtime.consoleAPICalled":
                    yield f"console: {parameters['args']}"
                case "Log.entryAdded":
                    yield f"log: {parameters['entry']['text']}"
                case "Network.requestWillBeSent":
                    url = parameters["request"]["url"]
                    if not url.startswith(("file:", "data:", "about:")):
                        yield f"request: {url}"

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def filter_faults(page):
    """Presses every count twice: first its claims alone are seen, then all."""
    seen = "[...document.querySelectorAll('tr.claim')].filter(row => row.getClientRects().length > 0)"
    rows = page.value("document.querySelectorAll('tr.claim').length")
    verdicts = page.value("[...document.querySelectorAll('button.count')].map(b => [b.dataset.verdict, Number(b.querySelector('b').textContent)])")
    if len(verdicts) != 4 or sum(count for _, count in verdicts) != rows:
        yield f"the counts {verdicts} are not those of {rows} rows"
    for verdict, count in verdicts:
        press = f"document.querySelector('button.count[data-verdict={verdict}]').click()"
        page.value(press)
        found = page.value(f"{seen}.map(row => row.dataset.verdict)")
        if found != [verdict] * count:
            yield f"{verdict}: {len(found)} rows are seen, {set(found)}; expected {count}"
        page.value(press)
        if page.value(f"{seen}.length") != rows:
            yield f"{verdict}: pressed again, it does not show all rows"
    # A link to a row that the filter hides shows the row.
    for verdict, _ in verdicts:
        page.value(f"document.querySelector('button.count[data-verdict={verdict}]').click()")
        page.value("document.querySelector('#headlines a').click()")
        if not page.value("(() => { const row = document.querySelector('tr:target'); return row && row.getClientRects().length > 0; })()"):
            yield f"{verdict}: the first headline's link leads to a row that is not seen"
        page.value("document.querySelectorAll('button.count[aria-pressed=true]').forEach(button => button.click())")


def link_faults(page, report):
    ids = page.value("[...document.querySelectorAll('[id]')].map(element => element.id)")
    for twice in {name for name in ids if ids.count(name) > 1}:
        yield f"the id {twice} occurs twice"
    for link in page.value("[...document.querySelectorAll('[href], [src]')].map(e => e.getAttribute('href') ?? e.getAttribute('src'))"):
        address, _, anchor = link.partition("#")
        if address == "" and urllib.parse.unquote(anchor) not in ids:
            yield f"no anchor {anchor}"
        elif address and not re.match(r"(https?|data):", address) and not (report.parent / urllib.parse.unquote(address)).exists():
            yield f"no file {address}"


def width_faults(page):
    """What is wider than the window, but for what scrolls in a box of its own."""
    if page.value("document.documentElement.scrollWidth") > page.value("innerWidth"):
        yield "it is wider than the window: " + page.value(
            "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest('figure, .scroll'))"
            ".slice(0, 5).map(e => e.outerHTML.slice(0, 80)).join(' | ')"
        )


def check(page, report, pictures):
    address = report.as_uri()
    page.open(address, DESKTOP)
    page.picture(pictures / "desktop-light-first.png")
    page.picture(pictures / "desktop-light.png", whole=True)
    yield from filter_faults(page)
    yield from link_faults(page, report)
    yield from width_faults(page)
    page.open(address, DESKTOP, dark=True)
    page.picture(pictures / "desktop-dark.png", whole=True)
    page.open(address, PHONE, mobile=True)
    yield from (f"on a phone {fault}" for fault in width_faults(page))
    page.picture(pictures / "phone-first.png")
    page.picture(pictures / "phone.png", whole=True)
    sheets = page.ask("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"]
    (pictures / "print.pdf").write_bytes(base64.b64decode(sheets))
    yield from page.complaints()


def main():
    report, pictures = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    if not report.is_file():
        sys.exit(f"There is no {sys.argv[1]}: just report PROFILE writes it.")
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        page = Browser(home)
        try:
            faults = list(check(page, report, pictures))
        finally:
            page.close()
    for fault in faults:
        print(f"fault: {fault}")
    print(f"{sys.argv[1]}: {len(faults)} faults; look at {pictures}/*.png")
    sys.exit(1 if faults else 0)


main()
