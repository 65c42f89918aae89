"""The rendered site: the written subset of Quarto, and what a real browser sees of it."""

import base64
import io
import json
import os
import re
import shutil
from html.parser import HTMLParser
from urllib.parse import unquote

import nbformat
import pytest
from conftest import LECTURES, ROOT
from PIL import Image

from book import BookError, notebooks, render, slides

SAMPLE = ROOT / "tests" / "fixtures" / "quarto"


# ---- Against what the real Quarto made of the sample -------------------------------------------


class Facts(HTMLParser):
    """What readers get of a page: headings, captions, alt texts, targets of references, slides."""

    def __init__(self, text):
        super().__init__()
        self.headings, self.alts, self.captions, self.references = [], [], [], []
        self.slides, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        classes = (a.get("class") or "").split()
        if tag == "img":
            self.alts.append(a.get("alt", ""))
        if tag == "section" and "slide" in classes:
            self.slides.append(a.get("id"))
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


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample project rendered here: (page facts, deck facts, page text)."""
    root = tmp_path_factory.mktemp("sample") / "project"
    shutil.copytree(SAMPLE, root)
    out = root / "_out"
    out.mkdir()
    render.render_thin(root, out)
    page = (out / "lectures" / "01-gradient-descent.html").read_text("utf-8")
    page = page[page.index("<main") : page.index("</main>")]
    deck = (out / "lectures" / "01-gradient-descent.slides.html").read_text("utf-8")
    return Facts(page), Facts(deck), page


@pytest.fixture(scope="module")
def quarto():
    expected = SAMPLE / "expected"
    return (
        Facts((expected / "page-main.html").read_text("utf-8")),
        Facts((expected / "deck-slides.html").read_text("utf-8")),
    )


def headings(facts):
    """Headings as text without their section numbers and without titles of callouts."""
    found = [re.sub(r"^[\d.]+ ?", "", text) for _, text in Facts.clean(facts.headings)]
    return [text for text in found if text not in ("Footnotes",)]


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


def test_page_hides_notes_and_pauses(sample):
    text = re.sub(r"<[^>]+>", "", sample[2])
    assert "Ask the room" not in text
    assert ". . ." not in text
    assert "You are looking at the slides" not in text


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
    root = tmp_path / "project"
    shutil.copytree(SAMPLE, root)
    (root / "index.qmd").write_text(f'---\ntitle: "T"\n---\n\n{text}\n')
    (root / "helpers.py").write_text("")
    (root / "_site").mkdir()
    (root / "_site" / "index.html").write_text("the last good one")
    with pytest.raises(BookError, match=message):
        render.render(root)
    assert (root / "_site" / "index.html").read_text() == "the last good one"
    assert not (root / "_site.part").exists()


@pytest.mark.parametrize("works", [True, False])
def test_quarto_is_used_where_it_is_installed(works, tmp_path, monkeypatch):
    root = tmp_path / "project"
    shutil.copytree(SAMPLE, root)
    (root / "helpers.py").write_text("")
    (root / "_site").mkdir()
    (root / "_site" / "index.html").write_text("old")
    quarto = tmp_path / "bin" / "quarto"
    quarto.parent.mkdir()
    end = 'echo made > "$3/index.html"' if works else "echo bad >&2; exit 1"
    quarto.write_text(f"#!/bin/sh\n{end}\n")
    quarto.chmod(0o755)
    monkeypatch.setenv("PATH", f"{quarto.parent}{os.pathsep}{os.environ['PATH']}")
    if works:
        assert render.render(root) == "Quarto"
    else:
        with pytest.raises(BookError, match=r"quarto render failed \(bad\)"):
            render.render(root)
    assert (root / "_site" / "index.html").read_text() == ("made\n" if works else "old")


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
def opened(browser, site):
    """A function that opens a page of the site, and the list of what the browser complains of."""
    pages = []

    def open_page(name, width=1280, height=720, scheme="light", complaints=None):
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        pages.append(page)
        if complaints is not None:
            page.on("pageerror", lambda error: complaints.append(f"{name}: {error}"))
            page.on("console", lambda m: m.type == "error" and complaints.append(m.text))
            page.on(
                "request",
                lambda r: (
                    not r.url.startswith(("file:", "data:", "blob:"))
                    and complaints.append(f"{name} asks for {r.url}, outside the site")
                ),
            )
        page.goto((site / name).as_uri())
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
def test_links_and_pictures_of_a_page_exist(name, opened, site):
    page = opened(name)
    targets = page.evaluate(
        "[...document.querySelectorAll('a[href], img[src]')].map(e => e.href || e.src)"
    )
    for target in targets:
        if target.startswith("file:"):
            path, _, anchor = unquote(target.removeprefix("file://")).partition("#")
            assert (site / path).is_file(), f"{name} links to {path}, which isn't there"
            if anchor and path.endswith(".html"):
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
    for selector in ("main p", "main a", "figcaption", "code span.co", "code span.st", "#toc a"):
        assert contrast(page, selector) > 4.5, f"{selector} in {scheme}"
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_search_finds_a_word(opened):
    page = opened("index.html")
    page.fill("#search", "denoising")
    first = page.locator("#results a").first
    assert "06-autoencoders.html" in first.get_attribute("href") or "glossary" in (
        first.get_attribute("href")
    )
    page.locator("#results a", has_text="spoilt picture").first.click()
    assert "06-autoencoders.html#" in page.url
    page.fill("#search", "zzzzqqqq")
    assert page.locator("#results").inner_text() == "Nothing found."


def test_menu_opens_on_a_phone(opened):
    page = opened("index.html", width=390, height=844)
    assert not page.locator("#sidebar").is_visible()
    page.click("#menu")
    assert page.locator("#sidebar a", has_text="Autoencoders at work").is_visible()


OVERFLOW = """() => {
  const slide = Reveal.getCurrentSlide(), out = [];
  for (const e of slide.querySelectorAll('*')) {
    if (e.closest('aside.notes, math, details.code-fold')) continue;
    const r = e.getBoundingClientRect();
    if (r.width && r.height && (r.bottom > 721 || r.right > 1281 || r.left < -1 || r.top < -1))
      out.push(`${e.tagName} ends at ${Math.round(r.right)} x ${Math.round(r.bottom)}`);
  }
  return [slide.querySelector('h1, h2')?.innerText || slide.id, out];
}"""


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
        page.keyboard.press("ArrowRight")
    assert seen == page.evaluate("Reveal.getTotalSlides()")


@pytest.mark.parametrize("name", DECKS)
def test_deck_prints_one_page_a_slide(name, site, browser, tmp_path):
    page = browser.new_page()
    page.goto((site / name).as_uri() + "?print-pdf")
    page.wait_for_selector(".pdf-page")
    pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == page.locator(".pdf-page").count() > 5
    page.close()


def test_speaker_notes_are_in_the_deck_alone(site):
    deck = (site / DECKS[-1]).read_text("utf-8")
    page = (site / DECKS[-1].replace(".slides", "")).read_text("utf-8")
    notes = re.findall(r'<aside class="notes">\s*<p>(.{20})', deck)
    assert notes
    assert not any(note in page for note in notes)


def test_search_index_has_every_page(site):
    text = (site / "site_libs" / "book" / "search-index.js").read_text("utf-8")
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
    variables = {"title": "T", "up": "./", "bibliography": [str(ROOT / "references.bib")]}
    made = render.pandoc(text, fmt, "page.html" if fmt == "html" else "deck.html", variables, ROOT)
    return made[made.index("<body>") :]


def test_figure_of_two_pictures_has_one_number_and_columns():
    options = {"label": "fig-two", "fig-cap": "Both.", "fig-alt": "Grey.", "layout-ncol": 2}
    files = {}
    text = render.cell_markdown(1, options, "x = 1", [png(2, 2), png(3, 3)], "f", files)
    assert list(files) == ["fig-two-1.png", "fig-two-2.png"]
    for fmt in ("html", "revealjs"):
        made = rendered(f"## S\n\n{text}\n\nSee @fig-two.", fmt)
        assert made.count("Figure\u00a01: Both.") == 1
        assert made.count('alt="Grey."') == 2
        assert "repeat(2, 1fr)" in made
        assert 'id="fig-two"' in made


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
    assert "Page." not in rendered(text, "revealjs")
    assert "fragment" in rendered(text, "revealjs")


def test_solution_is_folded_on_the_page_and_left_out_of_the_deck(tmp_path):
    tagged = {"tags": ["solution"]}
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Exercises\n\n## Exercise 1: add\n\nAdd them."),
            nbformat.v4.new_code_cell("#| code-fold: true\nprint(1 + 1)", metadata=tagged),
            nbformat.v4.new_markdown_cell("**Marking notes.** Two.", metadata=tagged),
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
