"""Money beside recharges in a real browser, on a phone and on a desk: a debt opened, a correction approved by a second person, an agent
topped up and selling, a resident's own page in three languages with a question answered, papers as PDF. Usage: office.py GATEWAY [PICTURES]"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

from browser import Browser
from running import CLOSED, Site

pictures = sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="pictures-")
os.makedirs(pictures, exist_ok=True)
if not shutil.which("pdftoppm"):
    sys.exit("pdftoppm is missing: install the package poppler-utils")

PASSWORD = "five words make a phrase"
site = Site(
    sys.argv[1], "office", '[site]\nname = "Shanti Nagar"\n[prepay.emergency]\nlimit = "100"\nthreshold = "60"\n'
    '[prepay.vend]\nsmallest = "20"\nmultiple_of = "5"\n', base=CLOSED)  # fmt: skip
ask = site.cli


def shows(browser, words):
    browser.until(f"(document.body || {{innerText: ''}}).innerText.includes({json.dumps(words)})")


def somebody(name, role, *more):
    """Adds a person whose password is ours; a resident's is a PIN."""
    secret = "593712" if role == "resident" else PASSWORD
    given = ask("person", "add", name, "--role", role, *more, "--generate")["secret"]
    browser.log_in(page, name, given)
    browser.choose_password(given, secret)
    browser.log_out()
    return secret


SMALL = """[...document.querySelectorAll('main button, main .button, main select, main textarea, main input:not([type=hidden])')]
    .filter(b => b.offsetParent !== null && b.offsetHeight < (b.classList.contains('quiet') ? 34 : 43)).map(b => b.outerHTML)"""
UNNAMED = """[...document.querySelectorAll('main input:not([type=hidden]), main select, main textarea')]
    .filter(f => !(f.labels && f.labels.length) && !f.getAttribute('aria-label')).map(f => f.outerHTML)"""


def fits(browser, what):
    """On a phone and on a desk: a heading, nothing wider than the screen, every field named, every button large enough."""
    for width, height, name in ((390, 844, "phone"), (1280, 800, "desk")):
        browser.size(width, height)
        assert browser.ask("document.querySelectorAll('h1').length") == 1, f"{what}: one heading"
        # Not innerWidth: on a phone it grows with what is too wide.
        wide = browser.ask("document.documentElement.scrollWidth")
        assert wide <= browser.width, f"{what}: {wide} wide on a {name}"
        assert browser.ask(UNNAMED) == [], f"{what}: {browser.ask(UNNAMED)}"
        if name == "phone" and not browser.ask("document.querySelector('.roll, body > nav') !== null"):
            assert browser.ask(SMALL) == [], f"{what}: {browser.ask(SMALL)}"
        browser.picture(f"{pictures}/{name}-{what}.png", whole=True)


def fetched(browser, path, name):
    """A file of the page as the browser gets it; pictures of a PDF beside it."""
    script = (
        f"fetch({json.dumps(path)}).then(a => a.arrayBuffer()).then(b => [...new Uint8Array(b)]"
        ".map(x => String.fromCharCode(x)).join('')).then(btoa)"
    )
    import base64

    content = base64.b64decode(browser.ask(script))
    with open(f"{pictures}/{name}", "wb") as file:
        file.write(content)
    if name.endswith(".pdf"):
        assert content.startswith(b"%PDF-"), f"{path}: {content[:80]}"
        subprocess.run(["pdftoppm", "-r", "100", "-png", f"{pictures}/{name}", f"{pictures}/{name[:-4]}"], check=True)
        text = subprocess.run(["pdftotext", "-layout", f"{pictures}/{name}", "-"], capture_output=True, text=True, check=True)
        return text.stdout
    return content.decode()


site.run("operator", "set-password", "--data", site.data, typed=f"{PASSWORD}\n{PASSWORD}\n")
site.start()
page = f"http://{site.page}"
browser = Browser()
try:
    ask("usage-point", "add", "A-101 Kulkarni", "--tariff", "msedcl-lt1b-2026-27", "--id", "7")
    receipt = ask("vend", "7", "50", "--key", "counter-1")["receipt"]
    browser.size(1280, 800)
    for name, role, *more in (("asha", "operator"), ("ravi", "supplier"), ("shop", "agent"), ("UP-0007", "resident", "--usage-point", "7")):
        somebody(name, role, *more)

    # A clerk opens a debt; typing alone, as with a keyboard.
    account = f"{page}/usage-point/UP-0007/account"
    browser.log_in(page, "asha", PASSWORD)
    browser.go(account)
    shows(browser, "Open a debt")
    fits(browser, "account-empty")
    browser.fill("form:has([value=open])", amount="300", percent="10", per_day="2", cap="50", reason="bills of before")
    browser.press("form:has([value=open]) button", "document.querySelector('form[data-once]') !== null")
    fits(browser, "debt-confirm")
    focused = browser.ask("document.querySelector('form[data-once] button').focus(); document.activeElement.tagName")
    assert focused == "BUTTON", focused
    browser.press("form[data-once] button", "document.querySelector('.banner.good') !== null")
    shows(browser, "10 % of each payment")
    browser.ask("document.querySelector('details summary').click(); true")
    fits(browser, "account-debt")

    # A large correction waits; whoever proposed it cannot approve it.
    browser.fill("form:has([value=credit])", amount="900", reason="paid twice at the bank")
    browser.press("form:has([value=credit]) button", "document.querySelector('form[data-once]') !== null")
    shows(browser, "another person approves")
    fits(browser, "correction-confirm")
    browser.press("form[data-once] button", "document.querySelector('.banner.good') !== null")
    shows(browser, "nothing has moved yet")
    browser.go(page + "/accounts")
    shows(browser, "paid twice at the bank")
    fits(browser, "accounts-clerk")
    browser.press("a[href^=\"/corrections/\"]", "document.body.innerText.includes('It is yours')")
    fits(browser, "proposal-own")
    browser.log_out()
    browser.log_in(page, "ravi", PASSWORD)
    browser.go(page + "/accounts")
    browser.press("a[href^=\"/corrections/\"]", "document.querySelector('form[action$=\"/approve\"]') !== null")
    fits(browser, "proposal")
    browser.press("form[action$=\"/approve\"] button", "document.querySelector('.banner.good') !== null")
    print("   a debt is opened, and a large correction approved by a second person")

    # The supplier sets an agent up.
    browser.go(page + "/accounts")
    browser.fill("form[action=\"/agents/new/check\"]", name="Corner shop", overdraft="20", percent="2")
    browser.press("form[action=\"/agents/new/check\"] button", "document.querySelector('form[data-once]') !== null")
    fits(browser, "agent-confirm")
    browser.press("form[data-once] button", "location.pathname === '/agents/1'")
    for fields in ({"person": "shop"}, {"amount": "1000", "reason": "cash, slip 7"}):
        form = "form:has([value=assign])" if "person" in fields else "form:has([value=float])"
        browser.fill(form, **fields)
        browser.press(f"{form} button", "document.querySelector('form[data-once]') !== null")
        browser.press("form[data-once] button", "location.pathname === '/agents/1'")
    shows(browser, "1,000.00")
    fits(browser, "agent-account")
    fits_before = browser.ask("document.querySelector('.huge').innerText")
    browser.log_out()

    # The agent sells, and sees what it has left and its own day.
    browser.log_in(page, "shop", PASSWORD)
    shows(browser, "Corner shop: float left")
    assert browser.ask("document.querySelector('.huge').innerText") == fits_before
    browser.fill("form[action=\"/agent/vend\"]", usage_point="7", amount="17")
    browser.press("form[action=\"/agent/vend\"] button", "document.getElementById('vend-error') !== null")
    shows(browser, "smallest recharge")
    browser.fill("form[action=\"/agent/vend\"]", amount="100")
    browser.press("form[action=\"/agent/vend\"] button", "document.querySelector('form[data-once]') !== null")
    shows(browser, "Pays back: Arrears")
    fits(browser, "agent-vend")
    browser.press("form[data-once] button", "document.querySelector('.banner.good') !== null")
    fits(browser, "agent")
    sold = browser.ask("document.querySelector('.banner.good a').getAttribute('href')")
    browser.go(page + sold)
    fits(browser, "agent-receipt")
    for paper in ("58", "80", "a4"):
        text = fetched(browser, sold + f"&pdf={paper}", f"receipt-{paper}.pdf")
        assert "100.00" in text and "DUPLICATE" not in text.upper(), text
    text = fetched(browser, sold.split("?")[0] + "?pdf=58", "receipt-again.pdf")
    assert "DUPLICATE" in text, text
    browser.go(page + "/agent")
    day = browser.ask("document.querySelector('a[href*=\"day-end\"]').getAttribute('href')")
    browser.go(page + day)
    fits(browser, "day-end")
    text = fetched(browser, day.replace(".html", ".pdf"), "day-end.pdf")
    assert "Cash expected" in text and "re-adds to the micro-unit" in text, text
    browser.go(page + "/agent")
    browser.log_out()
    print("   an agent is topped up, sells, and has its receipt and its day on paper")

    # The resident's own page, in three languages.
    # 50, 900 and 90 were added, and a day's fixed charges taken: what is left is below the threshold of emergency credit.
    for amount in ("-500", "-490"):
        ask("correct", "credit", "7", amount, "--reason", "for the test")
    browser.log_in(page, "UP-0007", "593712")
    for language, words in (("en", "What you owe"), ("hi", "आप पर बकाया"), ("mr", "तुमची थकबाकी")):
        if language != "en":
            browser.press(f"button[name=code][value={language}]", "true")
        shows(browser, words)
        fits(browser, f"resident-{language}")
    browser.press("button[name=code][value=en]", "true")
    browser.press("form[action$=\"/emergency\"] button", "document.querySelector('.banner.good') !== null")
    shows(browser, "Emergency credit is ready")
    browser.fill("form[action$=\"/question\"]", text="I paid 150 and 100 is on the receipt", about=str(receipt))
    browser.press("form[action$=\"/question\"] button", "document.querySelector('.banner.good') !== null")
    fits(browser, "resident-asked")
    text = fetched(browser, "/my/UP-0007/statement/UP-0007.pdf", "statement.pdf")
    assert "re-add" in text, text
    browser.log_out()
    browser.log_in(page, "asha", PASSWORD)
    browser.go(page + "/accounts")
    shows(browser, "I paid 150")
    fits(browser, "accounts-question")
    browser.fill("form[action*=\"/question/\"]", text="The second payment is on receipt 9")
    browser.press("form[action*=\"/question/\"] button", "!document.body.innerText.includes('I paid 150')")
    browser.log_out()
    browser.log_in(page, "UP-0007", "593712")
    shows(browser, "The second payment is on receipt 9")
    print("   a resident's page in three languages, a question asked and answered")

    verified = ask("verify")
    assert verified["clean"], verified
    wrong = [error for error in browser.errors if error.get("entry", {}).get("source") != "network"]
    assert not wrong, f"errors in the browser: {wrong}"
finally:
    browser.close()
    site.stop()
