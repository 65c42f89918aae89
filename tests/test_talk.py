"""Decks as talks: what is counted, and that each slide of a talk has its note in the deck."""

import re

import nbformat
import pytest
from conftest import LECTURES

from book import notebooks, talk

TALKS = [
    number
    for number, path in LECTURES.items()
    if notebooks.front_matter(notebooks.read(path), path).given.get("form") == "talk"
]
NOTE = '::: {.content-visible unless-format="revealjs"}\nSaid.\n:::'


def lecture(*cells, minutes=45):
    front = nbformat.v4.new_raw_cell(f'---\ntitle: "T"\nminutes: {minutes}\nform: talk\n---')
    made = [
        nbformat.v4.new_code_cell(cell[1]) if isinstance(cell, tuple)
        else nbformat.v4.new_markdown_cell(cell)
        for cell in cells
    ]  # fmt: skip
    return nbformat.v4.new_notebook(cells=[front, *made])


def said(notebook):
    return list(talk.check(notebook, notebooks.front_matter(notebook, "01-t.ipynb")))


def test_the_talk_of_lecture_7_is_one():
    assert TALKS == ["07"]


@pytest.mark.parametrize(("minutes", "most"), [(45, 30), (60, 37), (75, 45), (90, 52)])
def test_so_many_slides_fit(minutes, most):
    slides = [f"## Slide {i}\n\n- a\n\n{NOTE}" for i in range(most - 1)]  # and the title
    assert not said(lecture(*slides, minutes=minutes))
    (found,) = said(lecture(*slides, f"## One more\n\n- a\n\n{NOTE}", minutes=minutes))
    assert found == f"the talk has {most + 1} slides, at most {most} fit {minutes} minutes"


def test_slides_of_the_appendix_dont_count():
    slides = [f"## Slide {i} {{.appendix}}" for i in range(60)]
    assert not said(lecture(*slides, "# Part {.appendix}\n\n## Bare", ("code", "x = 1\n" * 20)))


def test_slides_of_code_alone_are_counted():
    def slides(n):
        return [part for i in range(n) for part in (f"## Slide {i}\n\n{NOTE}", ("code", "x = 1"))]

    assert not said(lecture(*slides(8)))
    (found,) = said(lecture(*slides(9)))
    assert found.startswith("9 slides are code alone, at most 8: Slide 0, ")
    beside = [part + "\n\n$$\nx\n$$" if isinstance(part, str) else part for part in slides(9)]
    assert not said(lecture(*beside))
    folded = [("code", f"#| code-fold: true\n{p[1]}") if isinstance(p, tuple) else f"{p}\n\nText."
              for p in slides(9)]  # fmt: skip
    assert not said(lecture(*folded))


def test_long_code_and_a_slide_without_a_note_are_named():
    code = ("code", "x = 1\n" * 11)
    assert said(lecture(f"## Long\n\n{NOTE}\n\n- a", code)) == [
        "slide 'Long' has 11 lines of code, at most 10 fit"
    ]
    two = ("code", "x = 1\n" * 6)
    assert "12 lines" in said(lecture(f"## Two\n\n{NOTE}\n\n- a", two, two))[0]
    assert said(lecture(f"## None\n\n{NOTE}", ("code", "#| code-fold: true\nx = 1"))) == [
        "slide 'None' has nothing to show"
    ]
    assert said(lecture("## Bare\n\n- a")) == ["slide 'Bare' has no speaker's note"]
    assert not said(lecture("## Noted\n\n- a\n\n::: {.notes}\nSay it.\n:::"))


@pytest.fixture(scope="module", params=TALKS)
def deck(request, made, browser):
    """The deck of a talk in the browser: (number, page, address of the lecture's page)."""
    address = f"{made[1]}/lectures/{LECTURES[request.param].stem}"
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(f"{address}.slides.html")
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    yield request.param, page, f"{address}.html"
    page.close()


def in_talk(page):
    """Headings and notes of the slides before the appendix, in the deck's order."""
    return page.evaluate(
        """() => {
          const found = [];
          for (const slide of Reveal.getSlides()) {
            if (slide.id === "appendix") break;
            const heading = slide.querySelector("h1, h2");
            found.push([slide.matches(".title-slide, #title-slide"), heading?.textContent.trim(),
              slide.querySelectorAll("aside.notes").length,
              slide.querySelector("aside.notes")?.textContent.trim() || ""]);
          }
          return found;
        }"""
    )


def test_every_slide_of_the_talk_has_one_note_in_the_deck(deck):
    number, page, _ = deck
    slides = in_talk(page)
    front = notebooks.front_matter(notebooks.read(LECTURES[number]), LECTURES[number])
    assert 20 < len(slides) <= talk.limit(front.minutes)
    for title, heading, notes, text in slides:
        assert title or (notes == 1 and len(text) > 40), heading


def test_slides_move_behind_the_talk_in_their_order(deck):
    number, page, _ = deck
    expected = [s.heading for s in talk.slides(notebooks.read(LECTURES[number]))
                if s.level == 2 and s.appendix and not s.empty]  # fmt: skip
    moved = page.evaluate(
        "[...document.querySelectorAll('#appendix ~ section h2, #appendix h2')].map("
        "h => h.textContent.trim().replace(/’/g, String.fromCharCode(39)))"
    )
    plain = [re.sub(r"[*_$`\\]", "", heading) for heading in expected]
    assert [heading for heading in moved if heading in plain][:20] == plain[:20]


def test_equations_have_the_same_numbers_on_page_and_deck(deck, browser):
    _, page, address = deck
    read = """[...document.querySelectorAll("main [id^='eq-'], .slides [id^='eq-']")].map(
      e => [e.id, e.textContent.match(/\\((\\d+)\\)\\s*$/)[1]])"""
    other = browser.new_page()
    other.goto(address)
    on_page, in_deck = dict(other.evaluate(read)), dict(page.evaluate(read))
    other.close()
    assert len(on_page) > 5 and on_page == in_deck


def text_heights(page, scope):
    """Sizes in pixels, as shown, of the texts of all drawings and plots in `scope`."""
    return page.evaluate(
        """(scope) => [...document.querySelectorAll(scope + " svg.drawing text")]
          .filter((text) => text.textContent.trim() && text.getClientRects().length)
          .map((text) => {
            const scale = Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b);
            return [parseFloat(getComputedStyle(text).fontSize) * scale, text.textContent];
          })""",
        scope,
    )


def test_text_in_drawings_and_plots_can_be_read_from_the_last_row(deck):
    _, page, _ = deck
    small = []
    count = page.evaluate("Reveal.getTotalSlides()")
    for i in range(count):
        page.evaluate(
            "i => { const a = Reveal.getIndices(Reveal.getSlides()[i]); Reveal.slide(a.h, a.v) }",
            i,
        )
        if page.evaluate("Reveal.getCurrentSlide().id") == "appendix":
            break
        small += [each for each in text_heights(page, "section.present") if each[0] < 24]
    assert not small, small[:10]


def test_text_in_drawings_and_plots_can_be_read_on_a_phone(deck, browser):
    _, _, address = deck
    phone = browser.new_page(viewport={"width": 390, "height": 800})
    phone.goto(address)
    sizes = text_heights(phone, "main")
    phone.close()
    assert len(sizes) > 50
    assert not [each for each in sizes if each[0] < 11], [e for e in sizes if e[0] < 11][:10]


def test_no_block_of_code_or_output_scrolls_sideways_at_1280_pixels(deck, browser):
    _, _, address = deck
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(address)
    wide = page.evaluate(
        "[...document.querySelectorAll('main pre')].filter(e => e.scrollWidth > e.clientWidth + 1)"
        ".map(e => e.textContent.slice(0, 80))"
    )
    page.close()
    assert not wide, wide
