#!/usr/bin/env python3
"""The report's page in a real browser: no error, no request, keyboard and screen reader, contrast, narrow, paper, without a script."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser, NoBrowser  # noqa: E402

SOURCE = os.environ.get("TINYLLM_SOURCE_DIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
TINYLLM = os.environ.get("TINYLLM", "")
EMBEDDED = os.path.join(SOURCE, "tools", "embedded")
EVIL = "</script><script>window.pwned=1</script><img src=x onerror='window.pwned=2'> \"q\" & \u2028 \u202e\u0001 end {0}"

AUDIT = r"""
var problems = [], dark = arguments[0];
function seen(e) { return e.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}); }
function parse(c) { var m = c.match(/[\d.]+/g).map(Number); return {c: m.slice(0, 3), a: m.length > 3 ? m[3] : 1}; }
function over(top, under) { return top.c.map(function (v, i) { return v * top.a + under[i] * (1 - top.a); }); }
function light(c) { var l = c.map(function (v) { v /= 255; return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4); });
                    return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; }
function grounds(e) {  // what may lie behind a text: colours, and those of gradients
  var chain = [], sheet = dark ? [18, 18, 18] : [255, 255, 255];
  for (; e; e = e.parentElement) chain.unshift(getComputedStyle(e));
  var found = [sheet];
  chain.forEach(function (s) {
    found = found.map(function (under) { return over(parse(s.backgroundColor), under); });
    if (/gradient/.test(s.backgroundImage)) (s.backgroundImage.match(/rgba?\([^)]*\)/g) || []).forEach(function (c) { found.push(over(parse(c), found[0])); });
  });
  return found;
}
var walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), texts = 0, node;
while ((node = walker.nextNode())) {
  var e = node.parentElement;
  if (!node.textContent.trim() || /^(SCRIPT|STYLE|NOSCRIPT|title|desc|OPTION)$/.test(e.tagName) || !seen(e) || e.closest('.sr')) continue;
  var style = getComputedStyle(e), ink = parse(e.namespaceURI.endsWith('svg') ? style.fill : style.color);
  var worst = Math.min.apply(null, grounds(e).map(function (g) {
    var a = light(over(ink, g)), b = light(g);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
  texts += 1;
  if (worst < 4.5) problems.push('contrast ' + worst.toFixed(2) + ': ' + node.textContent.trim().slice(0, 40));
}
if (texts < 20) problems.push('only ' + texts + ' texts looked at');
document.querySelectorAll('svg').forEach(function (s) {
  if (s.getAttribute('aria-hidden') === 'true') return;
  if (s.getAttribute('role') !== 'img' || !s.getAttribute('aria-label') || !s.querySelector('title')) problems.push('a drawing without role or title');
});
var before = 0, firsts = 0;
document.querySelectorAll('h1,h2,h3,h4,h5,h6').forEach(function (h) {
  if (!seen(h)) return;
  var level = Number(h.tagName[1]);
  if (level > before + 1) problems.push('heading ' + h.tagName + ' behind level ' + before + ': ' + h.textContent);
  before = level;
  firsts += level === 1;
});
if (firsts !== 1) problems.push(firsts + ' first-level headings');
var ids = {};
document.querySelectorAll('[id]').forEach(function (e) { if (ids[e.id]) problems.push('id twice: ' + e.id); ids[e.id] = 1; });
document.querySelectorAll('[aria-labelledby]').forEach(function (e) { if (!ids[e.getAttribute('aria-labelledby')]) problems.push('label of nothing'); });
document.querySelectorAll('th').forEach(function (th) { if (!th.scope) problems.push('a heading cell without scope: ' + th.textContent); });
document.querySelectorAll('nav a').forEach(function (a) { if (!ids[a.hash.slice(1)]) problems.push('leads nowhere: ' + a.hash); });
if (!document.documentElement.lang || !document.title || !document.querySelector('main') || !document.querySelector('nav')) problems.push('no language, title or landmarks');
return problems;
"""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


class Board(threading.Thread):
    """A tree of sensors as an Orin Nano has them, warming up."""

    CHIP = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/"

    def __init__(self, root):
        super().__init__(daemon=True)
        self.root, self.over = root, threading.Event()
        for file, text in ((self.CHIP + "name", "ina3221\n"), (self.CHIP + "in1_label", "VDD_IN\n"), (self.CHIP + "in1_input", "5000\n"),
                           ("sys/class/thermal/thermal_zone0/type", "tj-thermal\n")):
            write(os.path.join(root, file), text)
        self.step(0)

    def step(self, i):
        write(os.path.join(self.root, self.CHIP, "curr1_input"), f"{1000 + i % 300}\n")
        write(os.path.join(self.root, "sys/class/thermal/thermal_zone0/temp"), f"{41000 + 90 * (i % 200)}\n")

    def run(self):
        i = 0
        while not self.over.wait(0.01):
            i += 1
            self.step(i)


def make_study(folder):
    """Two models, three types, two tasks, one of them with texts that want to break out."""
    evil = os.path.join(folder, "piqa.jsonl")
    with open(evil, "w") as file:
        for i in range(20):
            file.write(json.dumps({"goal": EVIL.format(i), "sol1": "<b>one</b>", "sol2": f"two {i}", "label": i % 2}) + "\n")
    board = Board(os.path.join(folder, "board"))
    board.start()
    results = os.path.join(folder, "results")
    subprocess.run([TINYLLM, "study", "--types", "f32,q8_0,q4_0", "--tasks", "piqa,arc_easy", "-L", "20", "--data", "piqa=" + evil,
                    "--data", os.path.join(EMBEDDED, "questions"), "--sample-interval", "20ms", "--idle", "50ms", "-o", results],
                   check=True, capture_output=True, timeout=600, env=dict(os.environ, TINYLLM_SYSFS_ROOT=board.root))
    board.over.set()
    return os.path.join(results, "report.html")


def column(browser, table, index):
    return browser.js("return Array.from(document.querySelector(arguments[0]).tBodies[0].rows).map(r => r.cells[arguments[1]].textContent)", table, index)


def views(browser):
    return browser.js("return Array.from(document.querySelectorAll('.view')).map(v => v.id)")


def shown(browser):
    return browser.js("return Array.from(document.querySelectorAll('.view')).filter(v => v.checkVisibility()).map(v => v.id)")


def check_views(browser, page):
    browser.open(page)
    ids = views(browser)
    assert ids == ["overview", "lm-eval", "study", "questions", "power", "settings", "model-tiny-gpt2", "model-tiny-llama"], ids
    for scheme in ("light", "dark"):
        browser.media(scheme)
        for view in ids:
            browser.open(page + "#" + view)
            assert shown(browser) == [view], (view, shown(browser))
            if view == "questions":
                browser.click(".open")
            problems = browser.js(AUDIT, scheme == "dark")
            assert not problems, (scheme, view, problems[:10])
            assert browser.unnamed_controls() == [], (view, browser.unnamed_controls())
    browser.media()
    browser.width(390)
    for view in ids:
        browser.open(page + "#" + view)
        if view == "questions":
            browser.click(".open")
        width = browser.js("return document.documentElement.scrollWidth")
        assert width <= 390, (view, width)
    browser.width(1280)


def check_tables(browser, page):
    browser.open(page + "#lm-eval")
    table = "#lm-eval table.sortable"
    before = column(browser, table, 0), browser.js("return document.querySelector(arguments[0]).tFoot.rows.length", table)
    assert before[1] == 2 and len(before[0]) == 6, before
    browser.click(table + " thead th:nth-child(1) button")
    assert column(browser, table, 0) == sorted(before[0])
    browser.click(table + " thead th:nth-child(1) button")
    assert column(browser, table, 0) == sorted(before[0], reverse=True)
    # By keyboard alone, a column of numbers: the largest first.
    browser.js("document.querySelector(arguments[0] + ' thead th:last-child button').focus()", table)
    browser.press("Enter")
    values = [float(v.split()[0]) for v in column(browser, table, 4)]
    assert values == sorted(values, reverse=True), values
    assert browser.js("return document.querySelector(arguments[0] + ' thead th:last-child').getAttribute('aria-sort')", table) == "descending"
    browser.press("Space")
    values = [float(v.split()[0]) for v in column(browser, table, 4)]
    assert values == sorted(values), values
    assert browser.js("return document.querySelectorAll(arguments[0] + ' [aria-sort]').length", table) == 1

    browser.type("nav input", "llama q8")
    hidden = browser.js("return Array.from(document.querySelector(arguments[0]).tBodies[0].rows).filter(r => !r.hidden).map(r => r.cells[0].textContent + r.cells[1].textContent)", table)
    assert hidden == ["tiny-llamaq8_0"], hidden
    assert browser.js("return document.querySelectorAll('#lm-eval .mark.dim').length") > 0
    assert "rows" in browser.js("return document.querySelector('nav .status').textContent")


def check_navigation(browser, page):
    browser.open(page)
    browser.press("Tab")
    assert browser.js("return document.activeElement.className") == "skip"
    browser.press("Enter")
    assert browser.js("return document.activeElement.id") == "content" and shown(browser) == ["overview"]
    browser.js("document.querySelector('nav a[href=\"#study\"]').focus()")
    browser.press("Enter")
    time.sleep(0.2)
    assert shown(browser) == ["study"] and browser.js("return document.activeElement.id") == "study-h"
    assert browser.js("return document.querySelector('[aria-current]').hash") == "#study"
    assert browser.js("return document.title").startswith("Protocol study")
    browser.js("history.back()")
    time.sleep(0.3)
    assert shown(browser) == ["overview"]


def check_questions(browser, page):
    browser.open(page + "#model-tiny-llama")
    browser.click("#model-tiny-llama .ask a")
    time.sleep(0.2)
    assert shown(browser) == ["questions"]
    assert browser.js("return Array.from(document.querySelectorAll('#explorer select')).map(s => s.selectedOptions[0].textContent)")[:2] == ["lm-eval · PIQA", "tiny-llama"]
    assert browser.js("return document.querySelectorAll('#explorer .open').length") == 20
    browser.js("document.querySelector('#explorer .open').focus()")
    browser.press("Enter")
    assert browser.js("return document.activeElement.getAttribute('aria-expanded')") == "true"
    number = int(browser.js("return document.activeElement.textContent"))
    text = browser.js("return document.querySelector('.detail .full').textContent")
    assert EVIL.format(number) in text, text
    assert browser.js("return Array.from(document.querySelectorAll('.detail .choices li')).map(l => l.children[1].textContent)") == ["<b>one</b>", f"two {number}"]
    rows = browser.js("return Array.from(document.querySelectorAll('.detail .inner tbody tr')).map(r => Array.from(r.cells).map(c => c.textContent))")
    assert [row[:2] for row in rows] == [["tiny-llama", t] for t in ("f32", "q8_0", "q4_0")], rows
    for row in rows:
        shares = [float(cell.split()[0]) for cell in row[3:5]]
        assert abs(sum(shares) - 100) < 0.11 and "AB"[shares.index(max(shares))] == row[2][0] and float(row[5]) > 0, row
        assert ("right" in row[2]) == ("AB".index(row[2][0]) == number % 2), row
    browser.press("Enter")
    assert browser.js("return document.querySelectorAll('.detail').length") == 0
    browser.js("var s = document.querySelectorAll('#explorer select')[2]; s.value = 'wrong'; s.dispatchEvent(new Event('change'))")
    right = browser.js("return Array.from(document.querySelectorAll('.q tbody tr')).map(r => r.cells[3].textContent)")
    assert right and all(r != "3 of 3" for r in right), right
    browser.js("var s = document.querySelectorAll('#explorer select')[2]; s.value = ''; s.dispatchEvent(new Event('change'))")
    browser.type("#explorer input", "end 7")
    assert browser.js("return document.querySelectorAll('#explorer .open').length") == 1
    assert browser.js("return window.pwned === undefined && document.querySelectorAll('img').length === 0")


def check_paper_and_plain(browser, page):
    browser.open(page + "#settings")
    browser.media(medium="print")
    assert shown(browser) == [v for v in views(browser) if v != "questions"]
    problems = browser.js(AUDIT, False)
    assert not problems, problems[:10]
    paper = base64.b64decode(browser._call("POST", browser.session + "/print", {"orientation": "landscape"}))
    assert paper.startswith(b"%PDF") and len(paper) > 20000, len(paper)
    browser.media()
    browser.cdp("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(page)
    assert shown(browser) == views(browser), "without a script everything stands on the page"
    assert browser.js("return document.querySelectorAll('thead button').length") == 0, "no control that does nothing"
    assert "JavaScript" in browser.js("return document.querySelector('#questions').innerText")
    browser.cdp("Emulation.setScriptExecutionDisabled", value=False)


def main():
    if not TINYLLM or not os.path.exists(TINYLLM) or not os.path.isdir(os.path.join(EMBEDDED, "models")):
        print("skipped: needs the tinyllm command and the embedded models")
        return 77
    if os.environ.get("TINYLLM_SANITIZE"):
        print("skipped: a page is the same under sanitizers")
        return 77
    try:
        browser = Browser()
    except NoBrowser as error:
        print("skipped:", error)
        return 77
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = make_study(folder)
            page = "file://" + path
            browser.width(1280)
            check_views(browser, page)
            check_tables(browser, page)
            check_navigation(browser, page)
            check_questions(browser, page)
            check_paper_and_plain(browser, page)
            outside = {url.split("#")[0] for url in browser.requests()} - {page}
            assert not {url for url in outside if not url.startswith(("about:", "data:", "blob:"))}, outside
            errors = [entry["message"] for entry in browser.log("browser") if entry["level"] in ("SEVERE", "WARNING")]
            assert not errors, errors
    finally:
        browser.close()
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
