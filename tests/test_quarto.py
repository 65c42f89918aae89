"""What the real Quarto needs of the source, checked without it."""

import re

import nbformat
import pypandoc
import pytest
from conftest import LECTURES, ROOT

from book import check, notebooks, render
from support import widgets

CONFIG = notebooks.config()
DECKS = notebooks.read_yaml((ROOT / "lectures" / "_metadata.yml").read_text("utf-8"))["format"]


def test_quarto_renders_the_pages_of_the_sidebar_and_no_others():
    patterns = CONFIG["project"]["render"]
    # a pattern without a slash in front matches in every folder, fixtures of the tests too
    assert all(p.startswith("/") or "*" not in p for p in patterns)
    found = [f for p in patterns for f in sorted(ROOT.glob(p.lstrip("/")))]
    names = sorted(file.relative_to(ROOT).as_posix() for file in found)
    assert names == sorted(notebooks.pages())


def test_lectures_alone_have_decks():
    assert list(CONFIG["format"]) == ["html"]
    assert list(DECKS) == ["html", "revealjs"]
    assert DECKS["revealjs"]["output-ext"] == "slides.html"
    assert DECKS["revealjs"]["search"] is False  # else found twice, speaker's notes too


def test_both_renderers_run_the_same_filters_first_and_last():
    first, last = CONFIG["filters"]
    assert first == {"path": "book/assets/book.lua", "at": "pre-ast"}
    assert last == {"path": "book/assets/late.lua", "at": "post-quarto"}
    assert (ROOT / first["path"]).is_file() and (ROOT / last["path"]).is_file()


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (r"\log p", r"\log\, p"),
        (r"\tfrac12 \log \sigma^2", r"\tfrac12 \,\log\, \sigma^2"),
        (
            r"\varepsilon \operatorname{sign} \nabla L",
            r"\varepsilon \,\operatorname{sign}\, \nabla L",
        ),
        (r"\max_{x \in A} f", r"\max_{x \in A}\, f"),
        (r"\operatorname{KL}\bigl(q\bigr)", r"\operatorname{KL}\bigl(q\bigr)"),
        (r"\mathbb E[\log (1 - x)] + \exp\left(x\right)", None),
        (r"\logo + \lambda", None),
    ],
)
def test_operators_in_formulas_keep_a_thin_space_from_what_isnt_a_bracket(given, made):
    filters = [f"--lua-filter={ROOT / 'book' / 'assets' / 'book.lua'}"]
    found = pypandoc.convert_text(f"${given}$", "markdown", "markdown", extra_args=filters)
    assert found.strip() == f"${made or given}$"


def test_no_page_includes_what_the_build_makes():
    for page in ROOT.glob("*.qmd"):
        assert "{{< include" not in page.read_text("utf-8"), page.name


def test_pages_and_decks_of_quarto_have_the_books_styles():
    page, deck = CONFIG["format"]["html"], DECKS["revealjs"]
    for styles, folder in ((page["css"], ROOT), (deck["css"], ROOT / "lectures")):
        assert styles[0].endswith("shared.css")
        assert all((folder / name).is_file() for name in styles)
    assert "../book/assets/deck.css" in deck["css"]
    assert page["respect-user-color-scheme"] is True
    assert page["theme"] == {
        "light": ["cosmo", "book/assets/quarto.scss"],
        "dark": ["darkly", "book/assets/quarto.scss"],
    }
    assert (deck["width"], deck["height"], deck["margin"]) == (1280, 720, 0.02)


def test_styles_load_nothing_from_outside():
    for file in [*render.ASSETS.glob("*.css"), *render.ASSETS.glob("*.scss")]:
        assert "://" not in file.read_text("utf-8"), file.name
    assert "$web-font-path: false;" in (render.ASSETS / "quarto.scss").read_text("utf-8")


def test_scripts_from_other_hosts_are_taken_out(tmp_path):
    assert CONFIG["project"]["post-render"] == "python -m book offline"
    ours = '<script src="site_libs/quarto.js"></script>\n<script>draw()</script>\n'
    theirs = (
        '<script src="https://cdn.example/require.min.js" integrity="x"></script>\n'
        '<script src="https://cdn.example/jquery.min.js" data-relocate-top="true"></script>\n'
        "<script type=\"application/javascript\">define('jquery', [],function() {})</script>\n"
    )
    (tmp_path / "a").mkdir()
    page = tmp_path / "a" / "page.html"
    page.write_text(theirs + ours)
    (tmp_path / "other.html").write_text(ours)
    assert render.offline(tmp_path) == [page]
    assert page.read_text() == ours
    assert render.offline(tmp_path) == []


def test_git_ignores_what_quarto_writes():
    lines = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/.quarto/", "**/*.quarto_ipynb"} <= set(lines)  # else Quarto adds them


def test_explorers_keep_their_picture_from_being_stretched():
    made = widgets.explorer([[[[0]]], [[[9]]]], {"a": [1, 2]}, "x", None, 4)
    assert '<div class="fallback"><img class="nostretch"' in made


@pytest.mark.parametrize("number", LECTURES)
def test_lecture_is_read_by_quarto_as_it_is_meant(number):
    lecture = notebooks.read(LECTURES[number])
    parts = (check.check_figures, check.check_solutions, check.check_maths)
    assert [problem for part in parts for problem in part(lecture)] == []


def lecture_of(*cells):
    return nbformat.v4.new_notebook(cells=list(cells))


def picture(*kinds):
    """A cell with a labelled figure that shows one output of each kind."""
    options = '#| label: fig-a\n#| fig-cap: "C."\n#| fig-alt: "A."\nplt.show()'
    outputs = [nbformat.v4.new_output("display_data", {kind: "x"}) for kind in kinds]
    return lecture_of(nbformat.v4.new_code_cell(options, outputs=outputs))


def test_figure_with_a_record_in_its_cell_is_found():
    (said,) = check.check_figures(picture("image/png", "text/markdown"))
    assert re.match("figure fig-a shows 2 things: a figure stands alone in its cell", said)
    assert not list(check.check_figures(picture("image/png")))


def test_tag_of_constant_figures_stands_on_figures_only():
    """A figure whose record was moved to a cell of its own keeps the tag; the record hasn't it."""
    notebook = picture("image/png")
    notebook.cells[0].metadata["tags"] = ["constant"]
    assert not list(check.check_figures(notebook))
    notebook.cells[0].source, notebook.cells[0].outputs = "x = 1", []
    (said,) = check.check_figures(notebook)
    assert said == "cell 0 has the tag constant, which is for figures, but draws none"


def test_gif_is_found():
    (said,) = check.check_figures(picture("image/gif"))
    assert said == "figure fig-a is image/gif, which Quarto drops: save it as PNG"


@pytest.mark.parametrize(
    ("source", "good"),
    [
        ("::: {.solution}\n\nTwo.\n\n:::", True),
        ("Two.", False),
        ("::: {.solution}\n\nTwo.", False),
        ("::: {.solution}\n\nTwo.\n\n:::\n\nMore.", False),
    ],
)
def test_solution_outside_its_div_is_found(source, good):
    task = nbformat.v4.new_markdown_cell("## Exercise 1: add")
    answer = nbformat.v4.new_markdown_cell(source, metadata={"tags": ["solution"]})
    said = list(check.check_solutions(lecture_of(task, answer)))
    assert said == ([] if good else [NO_DIV])


NO_DIV = "solution in cell 1 doesn't stand between ::: {.solution} and :::"


def test_tex_that_quarto_1_7_does_not_know_is_found():
    bad = lecture_of(nbformat.v4.new_markdown_cell(r"$\Bigl( x \Bigr)$"))
    good = lecture_of(nbformat.v4.new_markdown_cell(r"$\Big( x \Big)$ $\bigl( x \bigr)$"))
    assert list(check.check_maths(bad)) == [
        "cell 0 has \\Bigl, which Quarto 1.7 doesn't know: write \\Big"
    ]
    assert not list(check.check_maths(good))
