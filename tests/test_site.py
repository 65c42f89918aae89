"""The rendered site: the written subset of Quarto, and what a real browser sees of it.

BOOK_SITE names the folder of a site made before, by Quarto or by the thin renderer, to look at.
"""

import base64
import io
import json
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from conftest import LECTURES, ROOT
from PIL import Image

from book import BookError, notebooks, render, slides

SAMPLE = ROOT / "tests" / "fixtures" / "quarto"


# ---- Against what the real Quarto made of the sample -------------------------------------------


class Facts(HTMLParser):
    """What readers get: headings, captions, alt texts, references, slides, notes, drawings."""

    def __init__(self, text):
        super().__init__()
        self.headings, self.alts, self.captions, self.references = [], [], [], []
        self.slides, self.open, self.notes, self.drawings, self.measured = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        classes = (a.get("class") or "").split()
        if tag == "img":
            self.alts.append(a.get("alt", ""))
        if tag == "section" and "slide" in classes:
            self.slides.append(a.get("id"))
        if tag == "aside" and "notes" in classes:
            self.notes.append([self.headings[-1][1], ""])
            self.open.append((tag, self.notes[-1]))
        if tag == "svg" and "drawing" in classes:
            self.drawings.append(a["aria-label"])
        if tag == "details" and "measured" in classes:
            self.measured.append(["", ""])
            self.open.append((tag, self.measured[-1]))
        if tag == "a" and {"quarto-xref", "cross-reference"} & set(classes):
            self.references.append([a["href"].lstrip("#/"), ""])
            self.open.append(("a", self.references[-1]))
        if tag in ("h1", "h2", "h3") and "title" not in classes:
            self.headings.append([tag, ""])
            self.open.append((tag, self.headings[-1]))
        if tag in ("figcaption", "caption") or (tag in ("p", "div") and "caption" in classes):
            self.captions.append(["", ""])
            self.open.append((tag, self.captions[-1]))

    def handle_endtag(self, tag):
        if self.open and self.open[-1][0] == tag:
            self.open.pop()

    def handle_data(self, data):
        for _, target in self.open:
            target[1] += data

    @staticmethod
    def clean(pairs):
        return [(first, " ".join(text.split()).strip()) for first, text in pairs]


def copy_of_sample(root):
    """Copy the sample project to the new folder `root`, with an empty helpers.py."""
    shutil.copytree(SAMPLE, root)
    (root / "helpers.py").write_text("")
    return root


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample project rendered here: (page facts, deck facts, page text, deck text)."""
    root = copy_of_sample(tmp_path_factory.mktemp("sample") / "project")
    out = root / "_out"
    out.mkdir()
    render.prepare(root)
    render.render_thin(root, out)
    page = (out / "lectures" / "01-gradient-descent.html").read_text("utf-8")
    page = page[page.index("<main") : page.index("</main>")]
    deck = (out / "lectures" / "01-gradient-descent.slides.html").read_text("utf-8")
    return Facts(page), Facts(deck), page, deck


@pytest.fixture(scope="module")
def quarto():
    """The same of the real Quarto; tests/fixtures/quarto/renew.py made it."""
    names = ("page-main.html", "deck-slides.html")
    page, deck = ((SAMPLE / "expected" / name).read_text("utf-8") for name in names)
    return Facts(page), Facts(deck), page, deck


def headings(facts):
    """Headings as text without their section numbers and without titles of callouts."""
    found = [re.sub(r"^[\d.]+ ?", "", text) for _, text in Facts.clean(facts.headings)]
    ours = ("Footnotes", "All measured values")  # the second is the book's own, in both renderers
    return [text for text in found if text not in ours]


def test_page_has_quartos_headings(sample, quarto):
    assert headings(sample[0]) == headings(quarto[0])


def test_page_has_quartos_alt_texts_and_captions(sample, quarto):
    assert sample[0].alts == quarto[0].alts
    assert set(Facts.clean(quarto[0].captions)) <= set(Facts.clean(sample[0].captions))


def test_page_has_quartos_cross_references(sample, quarto):
    assert Facts.clean(sample[0].references) == Facts.clean(quarto[0].references)


def test_deck_has_quartos_slides_and_headings(sample, quarto):
    ours = [text for _, text in Facts.clean(sample[1].headings)]
    theirs = [text for _, text in Facts.clean(quarto[1].headings)]
    assert ours == theirs


def test_deck_has_quartos_alt_texts_and_captions(sample, quarto):
    assert sample[1].alts == quarto[1].alts
    captions = {text for _, text in Facts.clean(quarto[1].captions)}
    assert captions <= {text for _, text in Facts.clean(sample[1].captions)}


def test_deck_has_quartos_notes(sample, quarto):
    assert len(sample[1].notes) == 5
    assert Facts.clean(sample[1].notes) == Facts.clean(quarto[1].notes)
    slides = [heading for heading, _ in sample[1].notes]
    assert len(slides) == len(set(slides)), "a slide has two notes"
    (explained,) = [text for heading, text in sample[1].notes if heading == "A drawing"]
    assert "comes by itself" in explained and "second explanation" in explained


def test_drawings_and_plots_are_inside_of_page_and_deck(either):
    labels = [
        "A blue valley and an orange arrow that goes down its left side.",
        "A line that falls from 1 to 0.1.",
    ]
    for facts, text in zip(either[:2], either[2:], strict=True):
        assert facts.drawings == labels
        assert not re.search(r"<img[^>]*\.svg|#0072b2", text), "a colour that no theme changes"
        marker = re.search(r'marker-end="url\(#([\w-]+)\)"', text)[1]
        assert f'id="{marker}"' in text


def test_results_open_their_bands_on_the_page_alone(either):
    texts = [text for _, text in Facts.clean(either[0].measured)]
    assert len(texts) == 3
    assert texts[1].startswith("The loss falls to 0.1 in 2 steps.")
    assert "last_loss 0.1, expected 0 to 0.2" in texts[1]
    assert not either[1].measured
    assert ["h2", "All measured values"] in [
        [tag, re.sub(r"^[\d.]+ ?", "", text)] for tag, text in either[0].headings
    ]


def test_appendix_stays_on_the_page_and_moves_behind_the_deck(either):
    page, deck = headings(either[0]), headings(either[1])
    moved = ["Samples", "An aside", "Code with notes", "A table and its values"]
    at = page.index("Samples")
    assert page[at : at + 5] == [*moved, "After the aside"]
    assert deck[deck.index("Appendix") :] == ["Appendix", *moved]


@pytest.fixture(params=["thin", "quarto"])
def either(request):
    """What either renderer made of the sample."""
    return request.getfixturevalue({"thin": "sample", "quarto": "quarto"}[request.param])


def test_page_hides_notes_and_pauses(either):
    text = re.sub(r"<[^>]+>", "", either[2])
    assert "Ask the room" not in text
    assert ". . ." not in text
    assert "You are looking at the slides" not in text
    assert "Ask the room" in either[3]


FOLD = '<details class="callout callout-tip">|class="callout-[^"]*callout-collapse collapse"'


def test_solutions_are_folded_on_the_page_and_absent_from_the_deck(either):
    page, deck = either[2:]
    assert "Add one and one" in deck
    for secret in ("is the secret", "Marking notes"):
        assert secret not in deck
        parts = re.split(FOLD, page[: page.index(secret)])
        assert len(parts) > 1
        assert not re.search("</details>|<h2", parts[-1]), f"{secret} stands open"
    assert "code-fold" not in page[page.index("Exercise 1: add") :]


def test_explorer_question_and_animation_are_on_page_and_deck(either):
    for text in either[2:]:
        assert text.count('<div class="explorer"') == 1
        assert text.count('<div class="quiz"') == 1
        assert "IPython.core" not in text
        assert not re.search(r"Figure.\d+: \(a\)|\(a\)\s*The iterate", text)
    assert either[0].alts.count("An animation: a blue bar goes to the right.") == 1


def test_page_offers_slides_and_colab(either):
    ways = either[2].partition('class="ways"')[2].partition("</div>")[0]
    assert 'href="01-gradient-descent.slides.html"' in ways
    assert 'href="../colab/01-gradient-descent.ipynb"' in ways


def test_annotations_are_tied_to_their_explanation(sample):
    for i in (1, 2, 3):
        assert f'href="#note-1-{i}"' in sample[2]
        assert f'id="note-1-{i}"' in sample[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("See @fig-nowhere.", "cross-reference @fig-nowhere has no target"),
        ("See [@nobody2020].", "nobody2020"),
        ("{{< video x.mp4 >}}", "shortcode not supported"),
        ("$$a$$ {#eq-a}\n\n$$b$$ {#eq-a}", "eq-a is used twice"),
    ],
)
def test_what_cannot_be_rendered_stops_the_build(text, message, tmp_path):
    root = copy_of_sample(tmp_path / "project")
    (root / "index.qmd").write_text(f'---\ntitle: "T"\n---\n\n{text}\n')
    (root / "_site").mkdir()
    (root / "_site" / "index.html").write_text("the last good one")
    with pytest.raises(BookError, match=message):
        render.render(root)
    assert (root / "_site" / "index.html").read_text() == "the last good one"
    assert not (root / "_site.part").exists()


@pytest.mark.parametrize("works", [True, False])
def test_quarto_is_used_where_it_is_installed(works, tmp_path, monkeypatch, capsys):
    root = copy_of_sample(tmp_path / "project")
    (root / "_site").mkdir()
    (root / "_site" / "index.html").write_text("old")
    quarto = tmp_path / "bin" / "quarto"
    quarto.parent.mkdir()
    end = 'echo made > "$3/index.html"' if works else "echo bad >&2; exit 1"
    warn = 'echo "[1/2] index.qmd\n[WARNING] Citeproc: citation x not found" >&2'
    quarto.write_text(f"#!/bin/sh\n{warn}\n{end}\n")
    quarto.chmod(0o755)
    monkeypatch.setenv("PATH", f"{quarto.parent}{os.pathsep}{os.environ['PATH']}")
    if works:
        assert render.render(root) == "Quarto"
    else:
        with pytest.raises(BookError, match=r"quarto render failed \(bad\)"):
            render.render(root)
    assert (root / "_site" / "index.html").read_text() == ("made\n" if works else "old")
    assert capsys.readouterr().out == "quarto: [WARNING] Citeproc: citation x not found\n"


def test_unknown_cell_option_stops_the_build():
    with pytest.raises(BookError, match="option fig-width is not in the subset"):
        render.cell_markdown(3, {"fig-width": 7}, "x", [], "files", {})


# ---- In a real browser -------------------------------------------------------------------------


def test_chromium_is_installed():
    try:
        slides.chromium()
    except BookError as error:
        pytest.fail(str(error))


@pytest.fixture
def thin(made):
    """The folder of a site by the thin renderer; skips what Quarto does in its own way."""
    if not made[1].startswith("file:"):
        pytest.skip("Quarto has its own search, menu and index")
    return made[0]


@pytest.fixture
def opened(browser, made):
    """A function that opens a page of the site and lists what the browser complains of."""
    pages, address = [], made[1]

    def open_page(name, width=1280, height=720, scheme="light", complaints=None):
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        pages.append(page)
        if complaints is not None:
            page.on("pageerror", lambda error: complaints.append(f"{name}: {error}"))
            page.on("console", lambda m: m.type == "error" and complaints.append(m.text))
            page.on(
                "request",
                lambda r: (
                    not r.url.startswith((address, "data:", "blob:"))
                    and complaints.append(f"{name} asks for {r.url}, outside the site")
                ),
            )
        page.goto(f"{address}/{name}")
        return page

    yield open_page
    for page in pages:
        page.close()


PAGES = [page.rsplit(".", 1)[0] + ".html" for page in notebooks.pages()]
LECTURE = "lectures/06-autoencoders.html"  # has every kind of thing that a page can have
DECKS = [f"lectures/{p.stem}.slides.html" for p in LECTURES.values()]


@pytest.mark.parametrize("name", PAGES + DECKS)
def test_page_loads_without_errors_and_outside_requests(name, opened):
    complaints = []
    page = opened(name, complaints=complaints)
    page.wait_for_timeout(200)
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("name", PAGES)
def test_page_fits_a_phone(name, opened):
    page = opened(name, width=390, height=844)
    assert page.locator("h1.title").inner_text()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, f"{name} is {width} px wide on a phone of 390 px"


@pytest.mark.parametrize("name", PAGES)
def test_links_and_pictures_of_a_page_exist(name, opened, made):
    page, (site, address) = opened(name), made
    targets = page.evaluate(
        "[...document.querySelectorAll('a[href], img[src]')].map(e => e.href || e.src)"
    )
    own = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    for target in targets:
        if target.startswith(address) and not target.endswith("#"):
            path, _, anchor = unquote(target.removeprefix(f"{address}/")).partition("#")
            path = path or "index.html"
            assert (site / path).is_file(), f"{name} links to {path}, which isn't there"
            if path == name:
                assert not anchor or anchor in own, f"no #{anchor} in {path}"
            elif anchor and path.endswith(".html"):
                assert f'id="{anchor}"' in (site / path).read_text("utf-8"), (
                    f"no #{anchor} in {path}"
                )
    broken = page.evaluate("[...document.images].filter(i => !i.naturalWidth).map(i => i.src)")
    assert not broken


def contrast(page, selector):
    """Return the contrast ratio (WCAG 2) of the first `selector` to the page's background."""
    return page.evaluate(
        """selector => {
          const rgb = c => c.match(/[\\d.]+/g).slice(0, 3).map(v => {
            v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
          const light = c => { const [r, g, b] = rgb(c); return 0.2126*r + 0.7152*g + 0.0722*b; };
          const a = light(getComputedStyle(document.querySelector(selector)).color);
          const b = light(getComputedStyle(document.body).backgroundColor);
          return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); }""",
        selector,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_can_be_read_in_light_and_dark(scheme, opened):
    page = opened(LECTURE, scheme=scheme)
    toc = "#toc a, #TOC a:not(.active)"
    for selector in ("main p", "main p a", "figcaption", "code span.co", "code span.st", toc):
        assert contrast(page, selector) > 4.5, f"{selector} in {scheme}"
    ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]"
    assert (page.evaluate(ground) < 128) == (scheme == "dark"), "not as the system prefers"
    before = page.evaluate(ground)
    page.locator("#theme, .quarto-color-scheme-toggle >> visible=true").first.click()
    page.wait_for_timeout(100)
    assert page.evaluate(ground) != before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_of_plots_has_the_themes_colour(scheme, opened):
    page = opened(f"lectures/{LECTURES['07'].stem}.html", scheme=scheme)
    fills = page.evaluate(
        "[...document.querySelectorAll('main svg.drawing text')].map(e => getComputedStyle(e).fill)"
    )
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert ink != "rgb(0, 0, 0)"
    assert fills.count(ink) > 50
    assert "rgb(0, 0, 0)" not in fills


def test_home_page_has_cards_in_columns_and_status_has_bars_in_colour(opened):
    cards = opened("index.html").locator(".cards .card")
    assert cards.count() == len(LECTURES)
    tops = [cards.nth(i).bounding_box()["y"] for i in range(3)]
    assert max(tops) - min(tops) < 2, "cards stand below each other"
    page = opened("status.html")
    fill = "e => getComputedStyle(e).fill"
    assert page.locator(".band rect").first.evaluate(fill) != "rgb(0, 0, 0)"


@pytest.mark.parametrize("number", LECTURES)
def test_page_offers_its_slides_and_a_notebook(number, opened, made):
    name = LECTURES[number].stem
    page = opened(f"lectures/{name}.html")
    targets = page.evaluate("[...document.querySelectorAll('.ways a')].map(e => e.href)")
    wanted = [f"{made[1]}/lectures/{name}.slides.html", f"{made[1]}/colab/{name}.ipynb"]
    assert targets[:2] == wanted


WIDGETS = """() => ({
  explorers: [...document.querySelectorAll('.explorer')].map(e =>
    [!!e.querySelector('.stage'), e.querySelector('.fallback').hidden]),
  questions: [...document.querySelectorAll('.quiz details')].map(e =>
    getComputedStyle(e).borderLeftStyle)})"""


@pytest.mark.parametrize("name", [p for p in PAGES if p.startswith("lectures/")] + DECKS)
def test_explorers_run_and_questions_are_styled(name, opened):
    page = opened(name)
    page.wait_for_timeout(200)
    found = page.evaluate(WIDGETS)
    assert all(all(states) for states in found["explorers"]), f"{name} has a dead explorer"
    assert set(found["questions"]) == {"solid"}


@pytest.mark.parametrize("name", DECKS)
def test_deck_keeps_solutions_and_has_references_of_its_own(name, made):
    deck = (made[0] / name).read_text("utf-8")
    slides = re.split(r"<section ", deck)
    assert "Marking notes" not in deck
    entries = [slide for slide in slides if 'class="csl-entry"' in slide]
    assert all(slide.startswith('id="references"') for slide in entries)
    assert entries or "data-cites" not in deck


def test_search_finds_a_word(opened, thin):
    page = opened("index.html")
    page.fill("#search", "denoising")
    first = page.locator("#results a").first
    assert "06-autoencoders.html" in first.get_attribute("href") or "glossary" in (
        first.get_attribute("href")
    )
    page.locator("#results a", has_text="spoilt picture").first.click()
    page.wait_for_load_state()
    assert "06-autoencoders.html#" in page.url
    page.fill("#search", "zzzzqqqq")
    assert page.locator("#results").inner_text() == "Nothing found."


def test_menu_opens_on_a_phone(opened, thin):
    page = opened("index.html", width=390, height=844)
    assert not page.locator("#sidebar").is_visible()
    page.click("#menu")
    assert page.locator("#sidebar a", has_text="Autoencoders at work").is_visible()


OVERFLOW = """() => {
  const slide = Reveal.getCurrentSlide(), out = [];
  const lowest = getComputedStyle(slide).overflowY === 'auto' ? Infinity : 721;  // it scrolls
  for (const e of slide.querySelectorAll('*')) {
    if (e.closest('aside.notes, math *, details.code-fold, #refs *')) continue;
    const r = e.getBoundingClientRect();
    if (r.width && r.height && (r.bottom > lowest || r.right > 1281 || r.left < -1 || r.top < -1))
      out.push(`${e.tagName} ends at ${Math.round(r.right)} x ${Math.round(r.bottom)}`);
    if (e.tagName === 'PRE' && e.scrollWidth > e.clientWidth + 2)
      out.push(`PRE is cut at ${e.clientWidth}, it's ${e.scrollWidth} wide`);
  }
  return [slide.querySelector('h1, h2')?.innerText || slide.id, out];
}"""


BARE = """() => Reveal.getSlides().filter((slide) => {
  const copy = slide.cloneNode(true);
  copy.querySelectorAll("aside.notes, details.code-fold, h2, style").forEach((e) => e.remove());
  return slide.querySelector("h2") && !copy.textContent.trim()
    && !copy.querySelector("img, svg, canvas, math, .live, .explorer");
}).map((slide) => slide.querySelector("h2").textContent)"""


@pytest.mark.parametrize("name", DECKS)
def test_no_slide_shows_its_heading_alone(name, opened):
    page = opened(name)
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    assert page.evaluate(BARE) == []


@pytest.mark.parametrize("name", DECKS)
def test_deck_advances_and_nothing_overflows(name, opened):
    page = opened(name)
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    seen = 0
    while True:
        page.evaluate("() => { while (Reveal.availableFragments().next) Reveal.nextFragment(); }")
        heading, over = page.evaluate(OVERFLOW)
        assert not over, f"{name}, slide “{heading}”: {over[0]} (a slide has 1280 x 720)"
        seen += 1
        if page.evaluate("Reveal.isLastSlide()"):
            break
        page.evaluate("Reveal.next()")
    assert seen == page.evaluate("Reveal.getTotalSlides()")


@pytest.mark.parametrize("name", DECKS)
def test_deck_prints_one_page_a_slide(name, made, browser):
    page = browser.new_page()
    page.goto(f"{made[1]}/{name}?print-pdf")
    page.wait_for_selector(".pdf-page")
    pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == page.locator(".pdf-page").count() > 5
    page.close()


@pytest.mark.parametrize("name", DECKS)
def test_decks_have_notes_and_the_search_index_leaves_decks_out(name, made):
    deck = (made[0] / name).read_text("utf-8")
    assert len(re.findall(r'<aside class="notes">', deck)) > 20
    index = made[0] / "search.json"
    if index.exists():
        assert f"{Path(name).name}#" not in index.read_text("utf-8")


def test_site_has_the_books_pages_and_the_lectures_decks_alone(made):
    found = {p.relative_to(made[0]).as_posix() for p in made[0].rglob("*.html")}
    found = {n for n in found if not n.startswith(("site_libs/", "widget"))}
    assert found == {*PAGES, *DECKS}


def test_search_index_has_every_page(thin):
    text = (thin / "site_libs" / "book" / "search-index.js").read_text("utf-8")
    entries = json.loads(text.removeprefix("window.BOOK_INDEX = ").removesuffix(";\n"))
    assert {entry["url"].split("#")[0] for entry in entries} == set(PAGES)


# ---- The subset beyond the sample ----------------------------------------------------------------


def png(*size):
    """A display output with a picture, as notebooks store it."""
    buffer = io.BytesIO()
    Image.new("L", size).save(buffer, "png")
    data = {"image/png": base64.b64encode(buffer.getvalue()).decode()}
    return nbformat.v4.new_output("display_data", data)


def rendered(text, fmt="html"):
    """The body that Pandoc and our filter make of Markdown."""
    variables = {"title": "T", "up": "./", "bibliography": ROOT / "references.bib"}
    made = render.pandoc(text, fmt, "page.html" if fmt == "html" else "deck.html", variables, ROOT)
    return made[made.index("<body>") :]


def test_figure_stands_alone_in_its_cell():
    options = {"label": "fig-one", "fig-cap": "It.", "fig-alt": "Grey."}
    stream = nbformat.v4.new_output("stream", name="stdout", text="printed")
    files = {}
    text = render.cell_markdown(1, options, "x = 1", [png(2, 2), stream], "f", files)
    assert list(files) == ["fig-one-1.png"]
    made = rendered(f"## S\n\n{text}\n\nSee @fig-one.")
    assert made.count("Figure\u00a01: It.") == 1
    with pytest.raises(BookError, match="fig-one shows 2 things: a figure stands alone"):
        render.cell_markdown(1, options, "x = 1", [png(2, 2), png(3, 3)], "f", {})


def test_pictures_that_quarto_drops_are_refused():
    gif = nbformat.v4.new_output("display_data", {"image/gif": "R0lGODlh", "text/plain": "x"})
    with pytest.raises(BookError, match="image/gif, which Quarto drops: save it as PNG"):
        render.cell_markdown(1, {}, "x", [gif], "f", {})


def test_table_of_a_cell_has_its_caption():
    output = nbformat.v4.new_output("display_data", {"text/markdown": "| a |\n|:--|\n| 1 |"})
    options = {"label": "tbl-one", "tbl-cap": "Values.", "code-fold": True}
    text = render.cell_markdown(1, options, "show()", [output], "f", {})
    made = rendered(f"## S\n\n{text}\n\nSee @tbl-one.")
    assert "Table\u00a01: Values." in made
    assert "<td style" in made or "<td>1" in made
    assert '<details class="code-fold">' in made
    assert 'href="#tbl-one"' in made


def test_echo_and_output_options():
    stream = nbformat.v4.new_output("stream", name="stdout", text="printed")
    hidden = render.cell_markdown(1, {"echo": False}, "secret()", [stream], "f", {})
    assert "secret" not in hidden
    assert "printed" in hidden
    assert "printed" not in render.cell_markdown(1, {"output": False}, "x", [stream], "f", {})
    assert render.cell_markdown(1, {"include": False}, "x", [stream], "f", {}) == ""


def test_html_output_is_kept_as_it_is():
    output = nbformat.v4.new_output("display_data", {"text/html": "<b id='x'>explorer</b>"})
    made = rendered(render.cell_markdown(1, {}, "x", [output], "f", {}))
    assert "<b id='x'>explorer</b>" in made


def test_content_for_one_format_alone():
    text = '## S\n\n::: {.content-visible unless-format="revealjs"}\nPage.\n:::\n\n. . .\n\nBoth.'
    assert "Page." in rendered(text)
    deck = rendered(text, "revealjs")
    slide, note = re.split(r"<aside class=.notes.>", deck)
    assert "Page." not in slide and "Page." in note.partition("</aside>")[0]
    assert "fragment" in deck


def test_solution_is_folded_on_the_page_and_left_out_of_the_deck(tmp_path):
    tagged = {"tags": ["solution"]}
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Exercises\n\n## Exercise 1: add\n\nAdd them."),
            nbformat.v4.new_code_cell("#| code-fold: true\nprint(1 + 1)", metadata=tagged),
            nbformat.v4.new_markdown_cell("::: {.solution}\n**Marking notes.** Two.\n:::"),
            nbformat.v4.new_markdown_cell("## After"),
        ]
    )
    nbformat.write(notebook, tmp_path / "01-a.ipynb")
    text, _ = render.source_markdown(tmp_path / "01-a.ipynb")
    page, deck = rendered(text), rendered(text, "revealjs")
    first, second = page.split('<details class="callout callout-tip">')[1:]
    assert "print" in first.split("</details>")[0]
    assert "Marking notes" in second.split("</details>")[0]
    assert "After" in second.split("</details>")[1]
    assert "Add them" in deck
    assert "After" in deck
    assert "print" not in deck
    assert "Marking notes" not in deck
