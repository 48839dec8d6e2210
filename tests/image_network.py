"""Who stands at a gateway's interfaces: a network namespace with one cable to the machine, and tries to get through."""
import json
import subprocess

TRIES = r"""
import json, socket, sys, threading
asked = json.loads(sys.argv[1])
seen = [None] * len(asked["to"])
def one(at, to):
    with socket.socket() as trying:
        trying.settimeout(1.5)
        try:
            if asked["source"]:
                trying.bind((asked["source"], 0))
            trying.connect(tuple(to))
            seen[at] = "open"
        except ConnectionRefusedError:
            seen[at] = "refused"
        except OSError:
            seen[at] = "silent"
threads = [threading.Thread(target=one, args=pair) for pair in enumerate(asked["to"])]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(seen))
"""

LISTENS = r"""
import socket, sys
server = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("listens", flush=True)
while True:
    server.accept()[0].close()
"""

# A DHCPDISCOVER; the address that is offered, and that nothing else is: no router, no name server.
LEASE = r"""
import socket, struct
mac = bytes.fromhex(MAC.replace(":", ""))
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
asking.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"cable")
asking.bind(("0.0.0.0", 68))
asking.settimeout(1.5)
packet = struct.pack("!BBBBIHH16x16s64x128x", 1, 1, 6, 0, 0x6a7e, 0, 0x8000, mac) + b"\x63\x82\x53\x63\x35\x01\x01\x37\x04\x01\x03\x06\x2a\xff"
asking.sendto(packet, ("255.255.255.255", 67))
answer = asking.recv(2048)
options, at = {}, 240
while answer[at] != 255:
    options[answer[at]] = answer[at + 2:at + 2 + answer[at + 1]]
    at += 2 + answer[at + 1]
assert options[53] == b"\x02", options
assert 3 not in options and 6 not in options, "a router or a name server is offered"
print(socket.inet_ntoa(answer[16:20]))
"""

LOGS_IN = r"""
import sys, urllib.request, urllib.parse, urllib.error
page, name, password = sys.argv[1:]
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
headers = {"Origin": page, "Sec-Fetch-Site": "same-origin"}
try:
    answer = opener.open(urllib.request.Request(page + "/login", urllib.parse.urlencode(dict(name=name, password=password)).encode(), headers), timeout=20)
    print(not answer.url.endswith("/login"))
except urllib.error.HTTPError as refused:
    print(False)
"""


def outcomes(where, to, source=None):
    """open, refused or silent, of each (address, port), tried at once from a network."""
    words = [*where, "python3", "-c", TRIES, json.dumps({"to": to, "source": source})]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


class Side:
    """One that is connected to an interface of the machine."""

    def __init__(self, host, interface, *addresses, via):
        self.holder = subprocess.Popen(["unshare", "--net", "--", "sh", "-c", "echo here; exec sleep infinity"], stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self.where, self.listeners = ["nsenter", "-t", str(self.holder.pid), "-n"], []
        # Made on the machine's side: there it has its name from the first moment.
        words = ["link", "add", interface, "type", "veth", "peer", "name", "cable", "netns", str(self.holder.pid)]
        subprocess.run([*host.inside("-n"), "ip", *words], check=True)
        self._ip("link", "set", "lo", "up")
        self._ip("link", "set", "cable", "up")
        for address in [*addresses, "10.99.0.9/32"]:
            self._ip("address", "add", address, "dev", "cable")
        self._ip("route", "add", "default", "via", via)

    def _ip(self, *words):
        subprocess.run([*self.where, "ip", *words], check=True)

    def run(self, words):
        return subprocess.run([*self.where, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)

    def tries(self, *to, source=None):
        return outcomes(self.where, to, source)

    def listen(self, port):
        listener = subprocess.Popen([*self.where, "python3", "-c", LISTENS, str(port)], stdout=subprocess.PIPE)
        listener.stdout.readline()
        self.listeners.append(listener)

    def lease(self):
        """The address a DHCP server offers, if one does."""
        shown = json.loads(self.run(["ip", "-j", "link", "show", "cable"]).stdout)[0]["address"]
        done = self.run(["python3", "-c", f"MAC = {shown!r}\n{LEASE}"])
        assert "is offered" not in done.stderr, done.stderr
        return done.stdout.strip()

    def log_in(self, page, name, password):
        return self.run(["python3", "-c", LOGS_IN, page, name, password]).stdout.strip() == "True"

    def end(self):
        for process in [*self.listeners, self.holder]:
            process.kill()
            process.wait(10)
