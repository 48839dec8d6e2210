"""A gateway of a test's own: a folder, a configuration, a process, and the command line to ask it with.

A test that waits in vain ends with what it waited for and the last lines the daemon said."""

import atexit
import collections
import glob
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

# Whoever opens the page logs in; and the page of a test that is about something else.
CLOSED = '[field]\nlisten = "127.0.0.1:0"\n[web]\nlisten = "127.0.0.1:0"\n[clock]\ntrust = "always"\n'
OPEN = '[field]\nlisten = "127.0.0.1:0"\n[web]\nlisten = "127.0.0.1:0"\naccess = "open"\n[clock]\ntrust = "always"\n'


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ahead(seconds):
    """The environment of a process whose clock is so far ahead. The command `faketime` would stand between: a signal has to reach the process."""
    library = (glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") or sys.exit("   libfaketimeMT.so.1 is missing: apt-get install faketime"))[0]
    return {**os.environ, "LD_PRELOAD": library, "FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


class Visitor:
    """Somebody at the page without a browser: sends forms as one does, and keeps the cookie."""

    def __init__(self, page):
        self.page = f"http://{page}"
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def get(self, path):
        return self.opener.open(self.page + path, timeout=20).read().decode()

    def post(self, path, **fields):
        """The page it leads to; one that refuses as well."""
        headers = {"Origin": self.page, "Sec-Fetch-Site": "same-origin"}
        asked = urllib.request.Request(self.page + path, urllib.parse.urlencode(fields).encode(), headers)
        try:
            return self.opener.open(asked, timeout=20).read().decode()
        except urllib.error.HTTPError as refused:
            return refused.read().decode()

    def log_in(self, name, given, chosen):
        """With a secret that was given out, which is changed at once."""
        self.post("/login", name=name, password=given)
        self.post("/password", current=given, new=chosen, again=chosen)
        return self


class Site:
    """`page` is the address of the page and `port` that of the nodes, once it has started."""

    def __init__(self, gateway, name, more="", base=OPEN):
        self.gateway, self.folder = os.path.abspath(gateway), tempfile.mkdtemp(prefix=f"{name}-")
        self.data, self.said, self.process = f"{self.folder}/data", collections.deque(maxlen=40), None
        self.page = self.port = None
        # As long as most tests were made to wait; readings gather for longer at a real site.
        pace = "" if "[cycle]" in base + more else "\n[cycle]\ngather_ms = 5000\n"
        self.config = self.write("gateway.toml", f'[store]\ndata_dir = "{self.data}"\n{base}{more}{pace}')
        atexit.register(self.kill)

    def write(self, name, text):
        """A file in the site's folder, for its owner only; its path."""
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o600)
        return path

    def start(self, ahead_s=0, env=None):
        """The process, once it says that it serves; `ahead_s`: how far its clock is ahead of this machine's; `env`: an environment of its own."""
        words = [self.gateway, "run", "--config", self.config]
        env = env or (ahead(ahead_s) if ahead_s else None)
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=env)
        for line in self.process.stderr:
            self.said.append(line)
            found = re.search(r"http://(\S+)/ and nodes (?:through|on \S+:(\d+))", line)
            if found:
                self.page, self.port = found.groups()
                threading.Thread(target=self.said.extend, args=(self.process.stderr,), daemon=True).start()
                return self.process
        self.fail("the daemon did not start")

    def kill(self):
        """As by a power cut."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def stop(self):
        """As by systemd."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)

    def run(self, *words, typed="", ends=0):
        """What a command prints, standard output and standard error, and that it ends as it should."""
        done = subprocess.run([self.gateway, *words], input=typed, capture_output=True, text=True, timeout=60)
        assert done.returncode == ends, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def cli(self, *words, refused=False):
        """A command to this gateway: its answer, or with `refused` the words of the refusal."""
        asked = [self.gateway, "--json", *words, "--data", self.data]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
        assert (done.returncode != 0) == refused, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr if refused else json.loads(done.stdout)

    def heard(self, link):
        """Whether a meter that is commissioned answers."""
        asked = [self.gateway, "meter", "test", *link, "--data", self.data]
        return subprocess.run(asked, capture_output=True, timeout=60).returncode == 0

    def until(self, what, true, seconds=25):
        """Waits until something is true, and gives it back."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = true()
            if found:
                return found
            time.sleep(0.05)
        self.fail(f"not within {seconds} s: {what}")

    def fail(self, why):
        sys.stderr.write("".join(self.said))
        sys.exit(f"   {why}")
