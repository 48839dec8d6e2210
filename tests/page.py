"""The page in a real browser, on a phone and on a desk: looks, live changes, a recharge by hand. Usage: page.py GATEWAY [PICTURES]

PICTURES is a folder for screenshots; without it they are thrown away."""

import os
import re
import subprocess
import sys
import tempfile

from browser import Browser

gateway = sys.argv[1]
pictures = sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="pictures-")
os.makedirs(pictures, exist_ok=True)

demo = subprocess.Popen([gateway, "demo", "--seconds", "120"], stdout=subprocess.PIPE, text=True)
browser = Browser()
try:
    for line in demo.stdout:
        found = re.match(r"page +(\S+)", line)
        if found:
            page = found.group(1)
        if "are starting" in line:
            break

    no_overflow = "document.documentElement.scrollWidth <= window.innerWidth"
    for width, height, name in ((390, 844, "phone"), (1280, 800, "desk")):
        browser.size(width, height)
        for path, what in (("", "neighbourhood"), ("usage-point/1", "usage-point"), ("alarms", "alarms"), ("journal", "journal"),
                           ("accounts", "accounts"), ("usage-point/1/account", "account"), ("meters", "meters"), ("meters/1", "meter"), ("meters/new/add", "meter-add"), ("usage-point/1/settings", "settings")):
            browser.go(page + path)
            assert browser.ask("document.querySelector('h1') !== null"), f"{path}: no heading"
            assert browser.ask(no_overflow), f"{path}: wider than a {name}"
            browser.picture(f"{pictures}/{name}-{what}.png")
        print(f"   {name}: ten pages fit {width} x {height}")

    browser.go(page)
    assert browser.ask("document.body.innerText.includes('30')"), "thirty usage points"

    # The page changes by itself when the neighbourhood does.
    browser.ask("window.before = document.getElementById('main').innerText; window.same = true; true")
    browser.until("window.same && document.getElementById('main').innerText !== window.before", 30)
    print("   it changes without reloading")

    # Somebody ran out: recharge by hand, as an operator would.
    browser.size(390, 844)
    browser.go(page + "usage-point/4")
    credit = "document.querySelector('.huge').innerText"
    amount = lambda: float(browser.ask(credit).replace("₹", "").replace(",", ""))
    before = amount()
    browser.ask("document.getElementById('amount').value = '123.45'; document.querySelector('form[action$=\"/vend\"] button').click(); true")
    browser.until("document.querySelector('form[data-once]') !== null")
    browser.picture(f"{pictures}/phone-confirm.png")
    assert browser.ask("document.querySelector('h1').innerText.includes('123.45')"), "the amount to confirm"
    browser.ask("document.querySelector('form[data-once] button').click(); true")
    browser.until("document.querySelector('.huge') !== null && document.querySelector('.banner.good') !== null")
    browser.picture(f"{pictures}/phone-recharged.png")
    gained = amount() - before
    assert 120 < gained <= 123.46, f"credit grew by {gained}"
    print("   a recharge by hand arrives")

    # Commissioning with a thumb: what shows nothing is said, and every button is large enough.
    browser.size(390, 844)
    browser.go(page + "meters/1/replace/check?kind=mqtt:tasmota&device=plug7&login=plug-7&switch=own&final_kwh=")
    assert browser.ask("document.getElementById('meter-error').innerText.includes('nothing was heard of plug7')"), "why nothing is seen"
    assert browser.ask(no_overflow), "the check is wider than a phone"
    small = "[...document.querySelectorAll('main button, main .button, main select, main input:not([type=hidden]):not([type=checkbox])')]" \
            ".filter(b => b.offsetHeight < (b.classList.contains('quiet') ? 34 : 43)).map(b => b.outerHTML)"
    browser.picture(f"{pictures}/phone-meter-check.png")
    for path in ("meters/1/replace/check?kind=mqtt:tasmota&device=plug7&login=plug-7", "meters/new/add", "meters/1", "usage-point/1/settings", "meters"):
        browser.go(page + path)
        assert browser.ask(small) == [], (path, browser.ask(small))
    browser.go(page + "usage-point/1/settings")
    browser.ask("document.querySelector('button[name=arming][value=shadow]').click(); true")
    browser.until("(document.body || {innerText: ''}).innerText.includes('Undo: as the site')")
    browser.picture(f"{pictures}/phone-undo.png")
    browser.ask("[...document.querySelectorAll('button')].find(b => b.innerText.startsWith('Undo')).click(); true")
    browser.until("(document.body || {innerText: ''}).innerText.includes('Armed, as the site is.')")
    print("   commissioning on a phone, with undo")

    # Switched off and on again by the supplier.
    for order, words in (("off", "Disconnected"), ("auto", "Connected")):
        browser.go(page + f"usage-point/4/supply?order={order}")
        browser.ask("document.querySelector('form[data-once] button, form[method=post] button').click(); true")
        browser.until(f"(document.querySelector('.badge') || {{}}).innerText === '{words}'", 15)
    print("   the supplier switches off and on")

    # What an operator might type wrongly is answered in words, beside the field.
    for typed in ("-5", "abc", "0", "99999999999"):
        browser.go(page + "usage-point/4")
        type_in = f"document.getElementById('amount').value = '{typed}'"
        browser.ask(f"{type_in}; document.querySelector('form[action$=\"/vend\"] button').click(); true")
        browser.until("document.getElementById('vend-error') !== null")
    print("   wrong amounts are named")

    wrong = [error for error in browser.errors if "favicon" not in str(error) and "422" not in str(error)]
    wrong = [error for error in wrong if error.get("entry", {}).get("source") != "network"]
    assert not wrong, f"errors in the browser: {wrong}"
finally:
    browser.close()
    demo.terminate()
    demo.wait(10)
