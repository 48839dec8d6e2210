"""An impulse input and a contactor chosen on the page, with a thumb. Usage: pins_page.py GATEWAY [PICTURES]"""

import os
import sys
import tempfile

from browser import Browser
from running import Site

pictures = sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="pictures-")
os.makedirs(pictures, exist_ok=True)
site = Site(sys.argv[1], "pins-page")
trace = site.write("pins.trace", "0 GPIO4 1\n")
site.write("gateway.toml", open(site.config).read() + f"""[gpio]
driver = "trace"
trace_file = "{trace}"
[[gpio.pulse]]
name = "flat-1"
line = "GPIO4"
impulses_per_kwh = 1000
[[gpio.contactor]]
name = "flat-1"
line = "GPIO20"
[[gpio.contactor]]
name = "flat-2"
line = "GPIO21"
""")
site.start()
site.cli("usage-point", "add", "Flat 1", "--tariff", "example-minigrid-2026")
browser = Browser()
try:
    browser.size(390, 844)
    browser.go(f"http://{site.page}/meters/new/add?role=UP-0001")
    browser.until("document.getElementById('kind') !== null")
    choose = "(id, value) => { const field = document.getElementById(id); field.value = value; return field.value }"
    assert browser.ask(f"({choose})('kind', 'pulse:flat-1')") == "pulse:flat-1", "the input cannot be chosen"
    assert browser.ask(f"({choose})('switch', 'gpio:flat-1')") == "gpio:flat-1", "the contactor cannot be chosen"
    browser.ask("document.getElementById('initial').value = '12.5'; true")
    seen = "[...document.querySelectorAll('main input:not([type=hidden]), main select')].filter(f => f.offsetParent).map(f => f.name)"
    assert browser.ask(seen) == ["role", "kind", "switch", "before_meter", "initial_kwh"], browser.ask(seen)
    assert browser.ask("document.documentElement.scrollWidth <= innerWidth"), "the form is wider than a phone"
    browser.picture(f"{pictures}/phone-pins-form.png")
    browser.ask("document.querySelector('main button.main').click(); true")
    browser.until("(document.body || {innerText: ''}).innerText.includes('The supply is switched by contactor flat-1 on a pin.')")
    browser.picture(f"{pictures}/phone-pins-check.png")
    browser.ask("[...document.querySelectorAll('button')].find(b => b.innerText.startsWith('Install it')).click(); true")
    browser.until("(document.body || {innerText: ''}).innerText.includes('Installed.')")
    site.until("it counts on it", lambda: "N-00000001 at 12500 Wh" in str(site.cli("gpio", "show")))
    site.until("it switches it", lambda: "GPIO20" in open(trace + ".out").read())
    assert not browser.errors, browser.errors
    print("   an impulse input and a contactor chosen on a phone: it counts and switches")
finally:
    browser.close()
    site.stop()
