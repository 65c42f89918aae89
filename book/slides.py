"""Print the decks of the rendered site to PDF with Chromium (handouts)."""

import os
import shutil

from playwright.sync_api import sync_playwright

from book import ROOT, BookError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium():
    """Return the path of Chromium or Chrome; BOOK_CHROMIUM names another one."""
    found = os.environ.get("BOOK_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise BookError(
            "no Chromium found: install the package chromium (or Google Chrome), or name the "
            "program in the environment variable BOOK_CHROMIUM"
        )
    return found


def launch(playwright):
    """Return a headless browser that makes no connections of its own."""
    return playwright.chromium.launch(
        executable_path=chromium(),
        args=["--no-sandbox", "--disable-gpu", "--disable-background-networking",
              "--disable-component-update", "--disable-sync", "--no-first-run"],
    )  # fmt: skip


def write(root=ROOT):
    """Write _site/slides-pdf/NN-name.pdf for every deck; return [(path, number of slides)]."""
    decks = sorted((root / "_site" / "lectures").glob("*.slides.html"))
    if not decks:
        raise BookError("no decks in _site/lectures: run `make book` first")
    folder = root / "_site" / "slides-pdf"
    folder.mkdir(exist_ok=True)
    made = []
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for deck in decks:
            page = browser.new_page()
            page.goto(f"{deck.as_uri()}?print-pdf")
            page.wait_for_selector(".pdf-page")
            target = folder / deck.name.replace(".slides.html", ".pdf")
            part = target.with_suffix(".part")
            page.pdf(path=part, prefer_css_page_size=True, print_background=True)
            os.replace(part, target)
            made.append((target, page.locator(".pdf-page").count()))
            page.close()
        browser.close()
    return made
