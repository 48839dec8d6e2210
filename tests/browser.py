"""A headless Chromium driven over its debugging pipe: no network, no driver, nothing to install beside the browser."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time


class Browser:
    """One page."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="browser-")
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def wire():
            os.dup2(to_browser, 3)
            os.dup2(from_browser, 4)

        flags = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
            f"--user-data-dir={self.profile}", "--remote-debugging-pipe", "about:blank",
        ]  # fmt: skip
        # High numbers, so that dup2 onto 3 and 4 in the child never meets a pipe end.
        to_browser, from_browser = self._lift(to_browser), self._lift(from_browser)
        self._write, self._read = self._lift(self._write), self._lift(self._read)
        self.process = subprocess.Popen(
            ["chromium", *flags], preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(to_browser)
        os.close(from_browser)
        self._rest, self._id, self.errors = b"", 0, []
        targets = self._call("Target.getTargets")["targetInfos"]
        page = next(target for target in targets if target["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    @staticmethod
    def _lift(fd):
        import fcntl

        high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20)
        os.close(fd)
        return high

    def _call(self, method, **params):
        self._id += 1
        message = {"id": self._id, "method": method, "params": params}
        if getattr(self, "_session", None):
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                chunk = os.read(self._read, 1 << 20)
                if not chunk:
                    raise RuntimeError("the browser ended")
                self._rest += chunk
            line, self._rest = self._rest.split(b"\0", 1)
            answer = json.loads(line)
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.errors.append(answer["params"])
            if answer.get("id") == self._id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def size(self, width, height):
        phone, self.width = width < 600, width
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )

    def go(self, url):
        self._call("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def ask(self, script):
        """The value of an expression in the page."""
        result = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, script, seconds=20):
        """Waits until an expression holds."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if self.ask(script):
                    return
            except RuntimeError as error:
                # A page that is being left has no context for a moment.
                if "context" not in str(error) and "navigated" not in str(error):
                    raise
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {script}\n{self._seen()}")
            time.sleep(0.05)

    def press(self, selector, then="true"):
        """Presses a button and waits until the page it leads to shows something."""
        self.ask(f"window.left = true; document.querySelector({json.dumps(selector)}).click(); true")
        self.until(f"window.left !== true && document.readyState === 'complete' && {then}")

    def fill(self, form, **values):
        for name, value in values.items():
            field = f"{form} [name={name}]"
            self.ask(f"document.querySelector({json.dumps(field)}).value = {json.dumps(value)}; true")

    def log_in(self, page, name, password, then="location.pathname !== '/login'"):
        self.go(f"{page}/login?name={name}")
        self.until("document.getElementById('password') !== null")
        self.fill('form[action="/login"]', name=name, password=password)
        self.press('form[action="/login"] button', then)

    def choose_password(self, current, new):
        """On the page to which who has a given password is led."""
        self.until("location.pathname === '/password' && document.getElementById('again') !== null")
        self.fill('form[action="/password"]', current=current, new=new, again=new)
        self.press('form[action="/password"] button', "location.pathname !== '/password'")

    def log_out(self):
        self.press('form[action="/logout"] button', "location.pathname === '/login'")

    def _seen(self):
        """What the page is, says and holds in its fields: for a test that waited in vain."""
        fields = "[...document.querySelectorAll('main input, main textarea, main select')].map(f => f.name + '=' + f.value).join('; ')"
        try:
            return self.ask(f"location.href + '\\n' + document.body.innerText + '\\nfields: ' + {fields}")
        except RuntimeError as error:
            return str(error)

    def picture(self, path, whole=False):
        """What is on the screen, or the whole page."""
        size = {}
        if whole:
            content = self._call("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": content["width"], "height": content["height"], "scale": 1}
            size = {"captureBeyondViewport": True, "clip": clip}
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._call("Page.captureScreenshot", **size)["data"]))

    def paper(self, path):
        """The page as it is printed."""
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._call("Page.printToPDF", preferCSSPageSize=True)["data"]))

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)
