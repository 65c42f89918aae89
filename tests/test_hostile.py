"""Hostile notebooks: what is text stays text, no script of a notebook runs, no file gets outside.

README says whom the build trusts: it executes notebooks. These are about what only reads them.
"""

import base64
import json
import os
import zipfile

import nbformat
import pytest
from conftest import ROOT

import helpers
from book import BookError, colab, notebooks, render
from support import files, widgets

RUN = "document.documentElement.dataset.ran=1"
PNG = base64.b64encode((ROOT / "book" / "assets" / "page.png").read_bytes()).decode()

# ---- Text fields and HTML in a real browser ------------------------------------------------------

PAYLOADS = {
    "script": f"a <script>{RUN}</script> end",
    "handler": f"a <img src=x onerror={RUN}> end",
    "quote": f"a \"'><script>{RUN}</script><b a=' end",
    "raw": f"a `<script>{RUN}</script>`{{=html}} [b]{{.c}} end",
}
FIELDS = (
    "title", "subtitle", "description", "section", "caption", "alternative text", "table caption",
    "code summary", "tag", "unit", "version", "date", "stream", "code",
)  # fmt: skip
BODY = {
    "script": f"<script>{RUN}</script>",
    "script with a guessed nonce": f'<script nonce="0123456789abcdef">{RUN}</script>',
    "script from a data address": f'<script src="data:text/javascript,{RUN}"></script>',
    "picture's error": f'<img src="data:," onerror="{RUN}">',
    "svg's load": f'<svg onload="{RUN}"></svg>',
    "script in svg": f"<svg><script>{RUN}</script></svg>",
    "open details": f'<details open ontoggle="{RUN}">x</details>',
    "focus": f'<input autofocus onfocus="{RUN}">',
    "style's load": f'<style onload="{RUN}"></style>',
    "body's load": f'<body onload="{RUN}">',
    "frame of a text": f'<iframe srcdoc="<script>parent.{RUN}</script>"></iframe>',
    "frame of an address": f'<iframe src="javascript:parent.{RUN}"></iframe>',
    "object": f'<object data="javascript:{RUN}"></object>',
    "refresh": f'<meta http-equiv="refresh" content="0;url=javascript:{RUN}">',
    "base": '<base href="https://example.invalid/">',
    "link to click": f'<a class="hostile" href="javascript:{RUN}">x</a>',
    "form to send": f'<form action="javascript:{RUN}"><button class="hostile">x</button></form>',
    "button to press": f'<button class="hostile" onclick="{RUN}">x</button>',
}
OUTPUTS = {
    "svg drawing": {"image/svg+xml": f'<svg xmlns="http://www.w3.org/2000/svg" onload="{RUN}">'
                    f"<script>{RUN}</script></svg>"},
    "markdown": {"text/markdown": f"x <script>{RUN}</script> <img src='data:,' onerror='{RUN}'>"},
    "html": {"text/html": f"<b onclick='{RUN}' class='hostile'>x</b><img src=data:, "
             f"onerror='{RUN}'>"},
    "plain": {"text/plain": f"</code></pre><script>{RUN}</script>"},
}  # fmt: skip


def cells(front, *others):
    """A notebook, written as a dict, of front matter (a dict) and cells."""
    head = nbformat.v4.new_raw_cell(f"---\n{json.dumps(front)}\n---")
    return nbformat.v4.new_notebook(
        cells=[head, nbformat.v4.new_markdown_cell("# Part {#sec-part}\n\n## A slide"), *others],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )


def code(source, *outputs, **metadata):
    return nbformat.v4.new_code_cell(
        source, outputs=list(outputs), execution_count=1, metadata=metadata
    )


def shown(data):
    return nbformat.v4.new_output("display_data", data)


def options(**given):
    return "".join(f"#| {k.replace('_', '-')}: {json.dumps(v)}\n" for k, v in given.items())


def with_payload(text):
    """A lecture in whose text fields `text` stands."""
    record = {"name": "a_value", "value": 1.0, "unit": text}
    notebook = cells(
        {"title": text, "subtitle": text, "description": text, "card": "fig-a"},
        code(options(label="fig-a", fig_cap=text, fig_alt=text) + "draw()",
             shown({"image/png": PNG})),
        code(options(label="tbl-a", tbl_cap=text, code_fold=True, code_summary=text)
             + f"# {text}", shown({"text/markdown": "| a |\n|:--|\n| 1 |"}), tags=[text, "'x"]),
        code("print()", nbformat.v4.new_output("stream", text=f"</code></pre>{text}")),
        code("record()", shown({notebooks.RECORD: [record], "text/plain": "x"})),
        nbformat.v4.new_markdown_cell("Last words."),
    )  # fmt: skip
    notebook.metadata["book"] = {
        "made_from": {"code": "x", "helpers": "x", "data": {}}, "seed": 1, "seconds": 1.0,
        "peak_memory_mb": 1, "executed": text, "versions": {"keras": text},
    }  # fmt: skip
    return notebook


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The site of a book whose lectures are hostile: one a payload, one of HTML and outputs."""
    root = tmp_path_factory.mktemp("hostile") / "book"
    for folder in ("lectures", "data"):
        (root / folder).mkdir(parents=True)
    for name in ("helpers.py", "support", "references.bib"):
        os.symlink(ROOT / name, root / name)
    (root / "data" / "SHA256SUMS").touch()
    for page, part in (("index", "cards"), ("status", "status")):
        text = f'---\ntitle: "{page}"\n---\n\n::: {{part="{part}"}}\n:::\n\nLast words.\n'
        (root / f"{page}.qmd").write_text(text)
    names = []
    for n, text in enumerate(PAYLOADS.values(), start=1):
        names.append(f"lectures/0{n}-payload.ipynb")
        nbformat.write(with_payload(text), root / names[-1])
    explorer = widgets.explorer(
        ["a", "b"], {"</script><!--": [1, 2]}, "<!--<script>\"'><b>", None, 4
    )
    outputs = [code("show()", shown(data)) for data in OUTPUTS.values()]
    outputs += [code("show()", shown({"text/html": explorer}))]
    body = [nbformat.v4.new_markdown_cell(text) for text in BODY.values()]
    last = nbformat.v4.new_markdown_cell("Last words.")
    names.append("lectures/05-html.ipynb")
    nbformat.write(cells({"title": "HTML"}, *outputs, *body, last), root / names[-1])
    book = {
        "project": {"resources": ["cards/*.png"]}, "bibliography": "references.bib",
        "website": {"title": PAYLOADS["quote"], "sidebar": {"contents": [
            "index.qmd", "status.qmd", {"section": PAYLOADS["quote"], "contents": names}]}},
    }  # fmt: skip
    (root / "_quarto.yml").write_text(json.dumps(book))
    before = set(root.parent.iterdir())
    out = root / "_site"
    render.prepare(root)
    render.render_thin(root, out)
    assert set(root.parent.iterdir()) == before
    return out


PAGES = ["index", "status"] + [
    f"lectures/0{n}-{name}{kind}"
    for n, name in enumerate([*["payload"] * 4, "html"], start=1)
    for kind in ("", ".slides")
]


def ran(browser, address):
    """Open a page and press all that asks for it; say whether a script of a notebook ran."""
    page = browser.new_page()
    page.goto(address)
    page.wait_for_load_state("load")
    page.evaluate("for (const e of document.querySelectorAll('.hostile')) e.click()")
    page.wait_for_timeout(150)
    found = page.evaluate("[document.documentElement.dataset.ran, document.body.textContent]")
    page.close()
    return found


@pytest.mark.parametrize("name", PAGES)
def test_no_script_of_a_notebook_runs(name, hostile, browser):
    script, text = ran(browser, (hostile / f"{name}.html").as_uri())
    assert script is None
    assert "Last words." in text  # nothing has swallowed the rest


def test_the_policy_is_what_stops_html(hostile, browser):
    page = hostile / "lectures" / "05-html.html"
    text = page.read_text("utf-8")
    head, policy, rest = text.partition('<meta http-equiv="Content-Security-Policy"')
    assert policy
    (page.parent / "open.html").write_text(head + '<meta name="x"' + rest, encoding="utf-8")
    assert ran(browser, (page.parent / "open.html").as_uri())[0]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_text_is_shown_as_it_is(payload, hostile, browser):
    n = list(PAYLOADS).index(payload) + 1
    page = browser.new_page()
    page.goto((hostile / "lectures" / f"0{n}-payload.html").as_uri())
    said = {"script": "<script>", "handler": "<img", "quote": "<script>", "raw": "document"}[
        payload
    ]
    for place in ("h1.title", ".subtitle", "p.description", "figure#fig-a figcaption", "summary"):
        assert said in page.locator(place).first.text_content(), place
    image = page.locator("figure#fig-a img")
    assert image.get_attribute("alt") == " ".join(PAYLOADS[payload].split())
    page.goto((hostile / "status.html").as_uri())
    assert page.locator("body").text_content().count(PAYLOADS[payload].split("`")[0]) >= 2
    page.close()


def test_there_are_enough_hostile_cases():
    assert len(PAYLOADS) * len(FIELDS) + len(BODY) + len(OUTPUTS) >= 48


def test_explorers_run_and_the_speakers_view_opens(hostile, browser):
    context = browser.new_context()
    page = context.new_page()
    page.goto((hostile / "lectures" / "05-html.html").as_uri())
    assert page.locator(".explorer output").first.text_content() == "2"
    assert page.locator(".explorer label").first.text_content().startswith("</script><!--")
    page.goto((hostile / "lectures" / "01-payload.slides.html").as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    with context.expect_page() as opened:
        page.keyboard.press("s")
    opened.value.wait_for_selector("#current-slide iframe")
    context.close()


# ---- What is refused -----------------------------------------------------------------------------


def page_of(text, **front):
    """Return what makes the page of one Markdown cell with this text."""

    def make(root):
        path = root / "lectures" / "01-a.ipynb"
        nbformat.write(cells(front, nbformat.v4.new_markdown_cell(text)), path)
        text_, _ = render.source_markdown(path, root)
        variables = {"book-root": root, "book-page": "lectures/01-a.ipynb", "up": "../"}
        parsed = render.Sections()
        parsed.feed(render.pandoc(text_, "html", "page.html", variables, path.parent))
        render.copy_shown(parsed.shown, "lectures/01-a.ipynb", root, root / "_site")

    return make


def labelled(label):
    def make(root):
        source = f"#| label: {json.dumps(label)}\ndraw()"
        path = root / "lectures" / "01-a.ipynb"
        nbformat.write(cells({}, code(source, shown({"image/png": PNG}))), path)
        notebooks.read(path)

    return make


def packed(name):
    return lambda root: colab.data_files({name: "x"}, root)


def html_output(text):
    return lambda root: render.let_in(text, "cell-1")


EXPLORER = widgets.explorer(["a", "b"], {"x": [1, 2]}, "An explorer", None, 4)
REFUSED = {
    "a label that is a path": labelled("fig-../../../out"),
    "a label from the root": labelled("/tmp/out"),
    "a label with a quotation mark": labelled('fig-a" onclick="x'),
    "a label that is a list": labelled(["fig-a"]),
    "an include from outside": page_of("{{< include ../../secret.txt >}}"),
    "an include from the root": page_of("{{< include /etc/passwd >}}"),
    "an include through a link": page_of("{{< include link.md >}}"),
    "an include that isn't there": page_of("{{< include none.md >}}"),
    "a picture from outside": page_of("![x](../../secret.png)"),
    "a picture from outside, hidden": page_of("![x](%2e%2e/../secret.png)"),
    "a picture from the root": page_of("![x](/etc/secret.png)"),
    "a picture of a file address": page_of("![x](file:///etc/passwd)"),
    "a picture from outside as HTML": page_of('<img src="../../secret.png">'),
    "a drawing from outside": page_of("![x](../../secret.svg)"),
    "a picture that is no picture": page_of("![x](../_quarto.yml)"),
    "a picture that isn't there": page_of("![x](none.png)"),
    "a part from outside": page_of('::: {part="../../secret"}\n:::'),
    "an attachment that isn't there": page_of("![x](attachment:none.png)"),
    "a heading's handler": page_of(f'## B {{onclick="{RUN}"}}'),
    "a picture's handler": page_of(f'![x](data:image/png,x){{onerror="{RUN}"}}'),
    "a span's handler": page_of(f'[x]{{ONCLICK="{RUN}"}}'),
    "a link that is a script": page_of(f"[x](javascript:{RUN})"),
    "a link that is a script, hidden": page_of(f"[x](&#106;avaScript:{RUN})"),
    "a link to a made page": page_of("[x](data:text/html,x)"),
    "a formula that is a script": page_of(f"$\\href{{javascript:{RUN}}}{{x}}$"),
    "an output with a script": html_output(f"<script>{RUN}</script>"),
    "an output with a script behind an explorer": html_output(EXPLORER + "<SCRIPT src=x>"),
    "an explorer with another script": html_output(EXPLORER.replace("const stage", "evil()")),
    "an explorer inside a tag": html_output(f"<script src=x a={EXPLORER}"),
    "an explorer whose data are code": html_output(
        EXPLORER.replace('data = {"names"', 'data = {"a": evil(), "names"')
    ),
    "a stored run that read another file": packed("../secret.txt"),
    "a stored run that read a file from the root": packed("/etc/passwd"),
    "an archive with a path outside": lambda root: colab.bundle({"../a": b""}),
    "a list of hashes with a path outside": lambda root: files.listed(root),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case, tmp_path):
    root = tmp_path / "book"
    for folder in ("lectures", "data", "_parts"):
        (root / folder).mkdir(parents=True)
    for name in ("secret.txt", "secret.png", "secret.svg", "secret.md"):
        (tmp_path / name).write_text("<svg>secret</svg>")
    (root / "lectures" / "link.md").symlink_to(tmp_path / "secret.md")
    (root / "_parts" / "ways.json").write_text("{}")
    (root / "_parts" / "measured.json").write_text("{}")
    (root / "_quarto.yml").write_text("website: {title: x}\n")
    (root / "SHA256SUMS").write_text(f"{'0' * 64}  ../secret.txt\n")
    before = sorted(tmp_path.iterdir())
    with pytest.raises((BookError, ValueError)) as raised:
        REFUSED[case](root)
    assert 20 < len(str(raised.value)) < 400 and "\n" not in str(raised.value), raised.value
    assert sorted(tmp_path.iterdir()) == before


def test_a_page_outside_of_the_book_is_refused(tmp_path):
    (tmp_path / "outside.qmd").write_text("x")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "_quarto.yml").write_text(
        "website: {sidebar: {contents: [../outside.qmd]}}"
    )
    with pytest.raises(BookError, match=r"lists \.\./outside\.qmd, but there is no such file in"):
        notebooks.pages(tmp_path / "book")


def test_settings_in_front_matter_and_text_reach_no_file(tmp_path):
    """Only what the book knows of front matter counts; a YAML block in the text is text."""
    (tmp_path / "secret.bib").write_text("@book{a, title={Stolen}, author={A, B}}")
    (tmp_path / "lectures").mkdir()
    (tmp_path / "_parts").mkdir()
    (tmp_path / "_parts" / "ways.json").write_text("{}")
    (tmp_path / "_parts" / "measured.json").write_text("{}")
    yaml = f"bibliography: {tmp_path / 'secret.bib'}"
    path = tmp_path / "lectures" / "01-a.ipynb"
    text = nbformat.v4.new_markdown_cell(f"---\n{yaml}\n---\n\nText.")
    nbformat.write(
        cells({"bibliography": str(tmp_path / "secret.bib"), "nocite": "@*"}, text), path
    )
    made = render.pandoc(
        render.source_markdown(path, tmp_path)[0], "html", "page.html",
        {"book-root": tmp_path, "up": "./"}, tmp_path,
    )  # fmt: skip
    assert "Stolen" not in made and "Text." in made


def test_pictures_of_the_project_and_attachments_are_on_page_deck_and_colab(tmp_path):
    root = tmp_path / "a b's"
    (root / "lectures" / "images").mkdir(parents=True)
    (root / "_quarto.yml").write_text("website: {title: x}\n")
    (root / "helpers.py").touch()
    (root / "lectures" / "images" / "a 1.png").write_bytes(base64.b64decode(PNG))
    path = root / "lectures" / "01-a.ipynb"
    cell = nbformat.v4.new_markdown_cell(
        "![x](images/a%201.png)\n\n![y](attachment:b%20c.png)",
        attachments={"b c.png": {"image/png": PNG}},
    )
    nbformat.write(cells({"title": "x"}, cell), path)
    text, made = render.source_markdown(path, root)
    assert list(made) == ["attached-2-1.png"] and text.count("(01-a_files/attached-2-1.png)") == 1
    render.copy_shown(["images/a%201.png"], "lectures/01-a.ipynb", root, root / "_site")
    assert (root / "_site" / "lectures" / "images" / "a 1.png").is_file()
    source = "".join(c["source"] for c in colab.notebook(path, root)["cells"])
    assert source.count(f"(data:image/png;base64,{PNG})") == 2


def test_the_archive_for_colab_unpacks_where_it_should(tmp_path):
    raw = base64.b64decode(colab.bundle({"helpers.py": b"", "data/a.txt": b""}))
    (tmp_path / "a.zip").write_bytes(raw)
    names = zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert names == ["data/a.txt", "helpers.py"]


def test_a_stored_run_that_is_damaged_is_none():
    notebook = with_payload("x")
    assert notebooks.last_run(notebook)["seed"] == 1
    for key, value in (("made_from", 3), ("made_from", {}), ("seconds", "x"), ("versions", None)):
        spoilt = nbformat.from_dict(json.loads(json.dumps(notebook)))
        spoilt.metadata["book"][key] = value
        assert notebooks.last_run(spoilt) == {}


def test_helpers_escape_what_they_show():
    assert "\\u003c/script>" in widgets.explorer(["a", "b"], {"</script>": [1, 2]}, "x", None, 4)
    with pytest.raises(ValueError, match="plain text without marks"):
        helpers.record("a_value", 1, PAYLOADS["script"])
