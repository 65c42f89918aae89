"""support/widgets.py: explorers and questions in a real browser, by mouse, touch and keyboard."""

import json

import numpy as np
import pytest

import helpers
from book import ROOT, render

ALT = "A square that is lighter to the right and up"
SHADES = np.add.outer(np.arange(5) * 40, np.arange(4) * 10)  # one grey for each place


def html_of(show, *arguments, **options):
    """Return the HTML that a helper displays."""
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(helpers, "display", lambda data, raw: shown.append(data))
        show(*arguments, **options)
    return shown[0]["text/html"]


@pytest.fixture(scope="module")
def plane():
    """An explorer of 5 by 4 frames, each of one grey, with a plane to point at."""
    frames = np.broadcast_to(SHADES[:, :, None, None], (5, 4, 8, 8)).astype("uint8")
    picture = np.full((40, 50, 3), 0.5)
    sliders = {"z1": [-2, -1, 0, 1, 2], "z2": [0, 1, 2, 3]}
    return html_of(helpers.explorer, frames, sliders, alt=ALT, plane=picture)


@pytest.fixture(scope="module")
def texts():
    sliders = {"temperature": [0.5, 1.0, 1.5]}
    return html_of(helpers.explorer, ["cold", "warm <b>", "hot"], sliders, alt="Samples")


@pytest.fixture(scope="module")
def question():
    return html_of(helpers.quiz, "2 + 2?", ("4", "Well counted."), [("5", "One less."), ("3", "?")])


def on_page(html):
    return render.pandoc(
        f"# S\n\n## H\n\n{render.fenced(render.let_in(html, 'x'), '{=html}')}",
        "html", "page.html", {"title": "T", "up": "./"}, ROOT,
    )  # fmt: skip


def on_slide(html):
    return render.pandoc(
        f"# S\n\n## H\n\n{render.fenced(render.let_in(html, 'x'), '{=html}')}",
        "revealjs", "deck.html", {"title": "T", "up": "./"}, ROOT,
    )  # fmt: skip


def in_notebook(html):
    """As notebook programs do it: the output's HTML is put in and its scripts are made to run."""
    code = json.dumps(html).replace("</", "<\\/")
    put = f"document.body.append(document.createRange().createContextualFragment({code}))"
    return f"<!DOCTYPE html><body><script>{put}</script>"


@pytest.fixture(params=["page", "slide", "notebook"])
def shown(request, browser, site):
    """A function that shows HTML as a page, on a slide or in a notebook, in a browser page."""
    pages = []

    def show(html, **options):
        make = {"page": on_page, "slide": on_slide, "notebook": in_notebook}[request.param]
        file = site / f"widget-{request.param}.html"
        file.write_text(make(html), encoding="utf-8")
        page = browser.new_context(**options).new_page()
        pages.append(page)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(file.as_uri() + ("#/h" if request.param == "slide" else ""))
        page.wait_for_selector(".explorer .stage > :last-child, .quiz", state="visible")
        assert not errors
        return page

    yield show
    for page in pages:
        page.context.close()


def shade(page):
    """The grey in the middle of the explorer's frame."""
    return page.evaluate(
        """() => document.querySelector(".explorer canvas").getContext("2d")
                         .getImageData(4, 4, 1, 1).data[0]"""
    )


def test_explorer_starts_in_the_middle_and_says_what_it_shows(shown, plane):
    page = shown(plane)
    assert shade(page) == SHADES[2, 2]
    assert page.locator(".explorer canvas").get_attribute("aria-label") == ALT
    assert page.locator(".explorer output").all_inner_texts() == ["0", "2"]
    assert not page.locator(".explorer .fallback").is_visible()


def test_explorer_follows_the_mouse(shown, plane):
    page = shown(plane)
    box = page.locator(".explorer .plane").bounding_box()
    page.mouse.move(box["x"] + 0.95 * box["width"], box["y"] + 0.05 * box["height"])
    assert shade(page) == SHADES[4, 3]
    page.mouse.move(box["x"] + 0.05 * box["width"], box["y"] + 0.95 * box["height"])
    assert shade(page) == SHADES[0, 0]


def test_explorer_follows_a_finger(shown, plane):
    page = shown(plane, has_touch=True, viewport={"width": 600, "height": 800})
    box = page.locator(".explorer .plane").bounding_box()
    page.touchscreen.tap(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    assert shade(page) == SHADES[1, 2]


def test_explorer_follows_the_keyboard(shown, plane):
    page = shown(plane)
    page.locator(".explorer input").first.focus()
    page.keyboard.press("ArrowRight")
    assert shade(page) == SHADES[3, 2]
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    assert shade(page) == SHADES[3, 0]
    assert page.locator(".explorer input").last.get_attribute("aria-valuetext") == "z2 0"
    assert page.locator(".explorer").is_visible(), "the key has moved the slide"


def test_explorer_of_texts(shown, texts):
    page = shown(texts)
    assert page.locator(".explorer .stage pre").inner_text() == "warm <b>"
    page.locator(".explorer input").press("ArrowRight")
    assert page.locator(".explorer .stage pre").inner_text() == "hot"


def test_explorer_without_script_shows_all_frames(browser, plane, texts, site):
    for html, selector in ((plane, "img"), (texts, "li")):
        (site / "widget.html").write_text(on_page(html), encoding="utf-8")
        page = browser.new_context(java_script_enabled=False).new_page()
        page.goto((site / "widget.html").as_uri())
        assert page.locator(f".explorer .fallback {selector}").first.is_visible()
        page.context.close()


def test_question_answers_each_choice(shown, question):
    page = shown(question)
    assert not page.locator(".quiz details p").first.is_visible()
    page.locator(".quiz summary", has_text="4").click()
    assert page.locator(".quiz details.right p").inner_text() == "Right. Well counted."
    page.locator(".quiz summary", has_text="5").focus()
    page.keyboard.press("Enter")
    assert page.locator(".quiz details.wrong[open] p").inner_text() == "No. One less."


def test_bad_explorers_and_questions_say_what_is_wrong():
    with pytest.raises(ValueError, match="one or two sliders, not 3"):
        helpers.explorer(np.zeros((1, 1, 1, 2, 2)), {"a": [1], "b": [1], "c": [1]}, alt="x")
    with pytest.raises(ValueError, match=r"frames for \(2,\) places, but the sliders have \(3,\)"):
        helpers.explorer(np.zeros((2, 4, 4)), {"a": [1, 2, 3]}, alt="x")
    with pytest.raises(ValueError, match="has no wrong choice"):
        helpers.quiz("Why?", ("Because", "."), [])
