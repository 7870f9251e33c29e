"""Headless Chromium by the DevTools protocol over a pipe: load a page, ask it things, press keys, take pictures.

The protocol is JSON with a zero byte after each message, on the browser's descriptors 3 (to it) and 4 (from it).
"""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time

HELP = "no Chromium here: apt-get install --no-install-recommends chromium (or run tools/setup)"
PATIENCE = 240  # seconds: only a browser that hangs takes so long


def place(to_child, from_child):
    """In the child: its ends of the pipes become 3 and 4, by way of numbers that are neither."""
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_child, from_child)]
    for number, end in enumerate(ends, 3):
        os.dup2(end, number)


class Browser:
    """One browser with one tab.  Messages of its console and uncaught errors gather in `errors`."""

    def __init__(self, folder, width=1280, height=900):
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        assert program, HELP
        to_child, self.out = os.pipe()
        self.inp, from_child = os.pipe()
        self.number, self.session, self.errors, self.rest = 0, None, [], b""
        with open(os.path.join(folder, "chromium.log"), "wb") as log:
            self.process = subprocess.Popen(
                [program, "--headless=new", "--hide-scrollbars", "--no-sandbox", "--disable-gpu",
                 "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe",
                 f"--user-data-dir={folder}/profile", f"--window-size={width},{height}", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(3, 4),
                preexec_fn=lambda: place(to_child, from_child))
        os.close(to_child)
        os.close(from_child)
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def close(self):
        os.close(self.out)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.inp)

    def receive(self, until):
        while b"\0" not in self.rest:
            left = until - time.monotonic()
            assert left > 0 and select.select([self.inp], [], [], left)[0], "the browser does not answer"
            data = os.read(self.inp, 1 << 20)
            assert data, "the browser has ended"
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(message)
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(message["params"]["exceptionDetails"]))
        if message.get("method") in ("Runtime.consoleAPICalled", "Log.entryAdded"):
            entry = message["params"].get("entry", message["params"])
            if entry.get("type", entry.get("level")) in ("error", "warning", "assert"):
                self.errors.append(json.dumps(entry))
        return message

    def ask(self, method, **params):
        """One command of the protocol and its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE
        while True:
            answer = self.receive(until)
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def run(self, script):
        """The value of a JavaScript expression; promises are waited for."""
        result = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, script):
        """Waits until an expression is true; returns it."""
        until = time.monotonic() + PATIENCE
        while not (value := self.run(script)):
            assert time.monotonic() < until, f"never true: {script}"
            time.sleep(0.02)
        return value

    def open(self, path):
        self.ask("Page.navigate", url=f"file://{path}")

    def settle(self):
        """Two frames later everything that was asked for is painted."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def click(self, x, y):
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="none" if kind == "mouseMoved" else "left",
                     buttons=int(kind == "mousePressed"), clickCount=int(kind != "mouseMoved"))

    def hover(self, x, y):
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def key(self, key):
        codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13, "Escape": 27, "Tab": 9,
                 "Home": 36, "End": 35}
        text = {"text": "\r"} if key == "Enter" else {} if key in codes else {"text": key}
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key if key in codes else "",
                     windowsVirtualKeyCode=codes.get(key, ord(key[0])), **(text if kind == "keyDown" else {}))

    def picture(self, path, clip=None):
        """A PNG of the window, or of a part of the page (x, y, width, height), and in a file if there is a path."""
        more = {}
        if clip:
            more = {"clip": dict(zip(("x", "y", "width", "height"), clip), scale=1), "captureBeyondViewport": True}
        data = base64.b64decode(self.ask("Page.captureScreenshot", format="png", **more)["data"])
        if path:
            with open(path, "wb") as out:
                out.write(data)
        return data

    def dark(self, on):
        value = "dark" if on else "light"
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])
