"""Measure the live explorers of the rendered site in Chromium: `python -m benchmarks.live [_site]`.

Needs `make book` first. For each lecture with a live explorer: bytes that the page loads from disk
before anyone scrolls, milliseconds from coming into view to the first answer, frames a second
while the code or the training moves, milliseconds a typed character, what the heap holds before
an explorer is shown and after its slide is left, and the largest difference from Keras.
"""

import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import sync_playwright

from book import ROOT, live, notebooks, slides

BUDGETS = {
    "page weight MB": 1.5,
    "first answer ms": 1500,
    "frames a second": -30,  # at least
    "a character ms": 150,
    "memory left MB": 0.5,
    "off Keras": 1e-3,
}
# What is moved, once a frame, while frames are counted
MOVES = {
    "plane": """t => { const s = document.querySelectorAll(".live input[type=range]")[0];
      s.value = 3 * Math.sin(t / 300); s.dispatchEvent(new Event("input")); }""",
    "copies": """t => { const s = document.querySelector(".live input[type=range]");
      s.value = 0.5 + 0.5 * Math.sin(t / 300); s.dispatchEvent(new Event("input")); }""",
    "typing": """t => { const s = document.querySelectorAll(".live input[type=range]")[0];
      s.value = 1 + Math.sin(t / 300) / 2; s.dispatchEvent(new Event("input")); }""",
    "duel": "() => {}",  # moves by itself, once it's started
}
FRAMES = """([move, seconds]) => new Promise((done) => {
  const step = eval(move), begun = performance.now();
  let n = 0;
  const frame = (t) => {
    step(t);
    n++;
    if (t - begun < 1000 * seconds) requestAnimationFrame(frame);
    else done((1000 * n) / (t - begun));
  };
  requestAnimationFrame(frame);
})"""
TYPE = """() => {
  const field = document.querySelector(".live input[type=text]"), begun = performance.now();
  for (const c of "She was to be a very ") {
    field.value += c;
    field.dispatchEvent(new Event("input"));
  }
  return (performance.now() - begun) / 21;
}"""


def heap(session):
    """Return the megabytes that live after a full collection, typed arrays included."""
    session.send("HeapProfiler.collectGarbage")
    found = session.send("Runtime.getHeapUsage")
    return (found["usedSize"] + found.get("backingStorageSize", 0)) / 1e6


def measure(browser, site, lecture, stored):
    """Return {quantity: value} of the one live explorer of a lecture."""
    found, loaded = {"explorer": stored["kind"]}, set()
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.on("request", lambda request: loaded.add(request.url))
    page.goto((site / "lectures" / f"{lecture}.html").as_uri())
    page.wait_for_timeout(1000)
    paths = [Path(unquote(urlsplit(url).path)) for url in loaded if url.startswith("file:")]
    found["page weight MB"] = sum(path.stat().st_size for path in paths) / 1e6
    root = page.locator(".live")
    root.scroll_into_view_if_needed()
    page.wait_for_selector('.live[data-started="running"]')
    found["first answer ms"] = float(root.get_attribute("data-milliseconds"))
    if stored["kind"] == "duel":
        page.get_by_role("button", name="Start", exact=True).click()
    move = f"({MOVES[stored['kind']]})"
    found["frames a second"] = page.evaluate(FRAMES, [move, 4])
    if stored["kind"] == "typing":
        found["a character ms"] = page.evaluate(TYPE)
    page.close()

    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto((site / "lectures" / f"{lecture}.slides.html").as_uri())
    page.wait_for_function("Reveal.isReady()")
    session = page.context.new_cdp_session(page)
    go = """() => { const s = document.querySelector(".live").closest("section");
      const { h, v } = Reveal.getIndices(s); Reveal.slide(h, v); }"""
    home = "() => { document.activeElement.blur(); Reveal.slide(0, 0); }"
    for visit in range(3):  # the first loads the scripts, which stay
        page.evaluate(go)
        page.wait_for_selector('.live[data-started="running"]')
        page.wait_for_timeout(300)
        page.evaluate(home)
        page.wait_for_selector('.live[data-started="waiting"]', state="attached")
        page.wait_for_timeout(300)
        if visit == 0:
            before = heap(session)
    found["memory left MB"] = heap(session) - before
    check = "stored => bookLive.model(stored).check()"
    off = [page.evaluate(check, network) for network in stored["models"].values()]
    if off:
        found["off Keras"] = max(off)
        found["half precision"] = max(n["rounding"] for n in stored["models"].values())
    page.close()
    return found


def main(site):
    with sync_playwright() as playwright:
        browser = slides.launch(playwright)
        for path in notebooks.lectures(ROOT):
            outputs = [o for *_, shown in notebooks.code_cells(notebooks.read(path)) for o in shown]
            text = "".join(o.get("data", {}).get("text/html", "") for o in outputs)
            for stored in live.blocks(text).values():
                found = measure(browser, site, path.stem, stored)
                print(f"{path.stem}, {found.pop('explorer')}")
                for name, value in found.items():
                    limit = BUDGETS.get(name)
                    over = limit and (value > limit if limit > 0 else value < -limit)
                    print(f"  {name}: {value:.3g}{' OVER BUDGET' if over else ''}", flush=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "_site").resolve())
