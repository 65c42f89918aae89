"""Pages and decks for everyone: axe-core (WCAG 2.0 to 2.2, A and AA), widths, sizes, notes."""

import pytest
from axe_playwright_python.sync_playwright import Axe

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OPTIONS = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}


def pages(site):
    return sorted(site.glob("*.html")) + sorted((site / "lectures").glob("*.html"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page_or_deck(site, browser, scheme):
    """A deck is looked at slide by slide only as far as axe sees hidden slides: not at all."""
    found = []
    context = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme=scheme)
    page = context.new_page()
    for path in pages(site):
        page.goto(path.as_uri())
        page.wait_for_timeout(150)
        for violation in Axe().run(page, options=OPTIONS).response["violations"]:
            for node in violation["nodes"]:
                found.append(f"{path.name}: {violation['id']}: {node['html'][:120]}")
    context.close()
    assert not found, f"{len(found)} violations, such as\n" + "\n".join(found[:20])
