"""Pages and decks for everyone: axe-core (WCAG 2.0 to 2.2, A and AA), widths, sizes, notes."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from book import notebooks

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OPTIONS = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}


def pages(made):
    """Addresses of the book's pages and decks; other tests put pages of their own beside them."""
    found = [Path(page) for page in notebooks.pages()]
    decks = [page.with_suffix(".slides.html") for page in found if page.suffix == ".ipynb"]
    return [f"{made[1]}/{page.as_posix()}" for page in decks] + [
        f"{made[1]}/{page.with_suffix('.html').as_posix()}" for page in found
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page_or_deck(made, browser, scheme):
    """A deck is looked at slide by slide only as far as axe sees hidden slides: not at all."""
    found = []
    context = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme=scheme)
    page = context.new_page()
    for address in pages(made):
        page.goto(address)
        page.wait_for_timeout(150)
        for violation in Axe().run(page, options=OPTIONS).response["violations"]:
            for node in violation["nodes"]:
                found.append(
                    f"{address.rpartition('/')[2]}: {violation['id']}: {node['html'][:120]}"
                )
    context.close()
    assert not found, f"{len(found)} violations, such as\n" + "\n".join(found[:20])
