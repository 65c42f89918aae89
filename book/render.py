"""Render the website and the decks: with Quarto where it's installed, else with Pandoc alone.

The thin way: notebook to Markdown (here), Markdown to HTML (Pandoc, assets/book.lua, which Quarto
runs too, assets/quarto.lua and two templates). It knows the part of Quarto that lectures use and
stops at anything else.
"""

import base64
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import pypandoc
import yaml

from book import ROOT, BookError, colab, frame, notebooks

ASSETS = Path(__file__).parent / "assets"
# What Quarto takes from a notebook, in its order
PICTURES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}
CELL_OPTIONS = {
    "label", "fig-cap", "fig-alt", "tbl-cap", "echo", "output", "include", "code-fold",
    "code-summary",
}  # fmt: skip
ALONE = "a figure stands alone in its cell, records in the next one (Quarto numbers them (a), (b))"


def fenced(text, attributes=""):
    ticks = "`" * max(3, 1 + max((len(t) for t in re.findall(r"`+", text)), default=0))
    return f"{ticks} {attributes}\n{text}\n{ticks}\n"


def output_markdown(output, name, files):
    """Return the Markdown of one output; pictures are added to `files` {name: bytes}."""
    if output.output_type == "stream":
        return f"::: {{.cell-output .cell-output-{output.name}}}\n{fenced(output.text)}:::\n"
    if output.output_type == "error":
        raise BookError(f"cell {name} has a stored error: {output.ename}: {output.evalue}")
    data = output.data
    if "text/html" in data:  # before pictures, as in Quarto
        text = fenced(data["text/html"], "{=html}")
        return f"::: {{.cell-output .cell-output-display}}\n\n{text}\n\n:::\n"
    for mime, suffix in PICTURES.items():
        if mime in data:
            file, text = f"{name}-{len(files) + 1}.{suffix}", data[mime]
            files[file] = text.encode() if suffix == "svg" else base64.b64decode(text)
            return file
    if other := [mime for mime in data if mime.startswith("image/")]:
        raise BookError(f"cell {name} shows {other[0]}, which Quarto drops: save it as PNG")
    if "text/markdown" in data:
        text = data["text/markdown"]
    elif "text/plain" in data:
        text = fenced(data["text/plain"])
    else:
        raise BookError(f"cell {name} has an output that pages can't show: {', '.join(data)}")
    return f"::: {{.cell-output .cell-output-display}}\n\n{text}\n\n:::\n"


def cell_markdown(index, options, code, outputs, folder, files, tags=()):
    """Return the Markdown of one executed code cell, in the form that Quarto makes of it."""
    unknown = set(options) - CELL_OPTIONS
    if unknown:
        raise BookError(f"code cell {index}: option {sorted(unknown)[0]} is not in the subset used")
    if options.get("include") is False:
        return ""
    label = options.get("label", f"cell-{index}")
    marks = f" tags='{json.dumps(list(tags))}'" if tags else ""
    parts = [f"::::: {{.cell #cell-{label}{marks}}}\n"]
    if options.get("echo", True) and code.strip():
        fold = "".join(
            f' {key}="{str(options[key]).lower() if key == "code-fold" else options[key]}"'
            for key in ("code-fold", "code-summary")
            if key in options
        )
        parts.append(fenced(code, "{.python .cell-code" + fold + "}"))
    pictures = []
    outputs = outputs if options.get("output", True) else []
    displays = [output for output in outputs if output.output_type != "stream"]
    if label.startswith("fig-") and len(displays) > 1:
        raise BookError(f"cell {label} shows {len(displays)} things: {ALONE}")
    for output in outputs:
        before = len(files)
        made = output_markdown(output, label, files)
        (pictures if len(files) > before else parts).append(made)
    alt = str(options.get("fig-alt", "")).replace('"', "&quot;")
    images = [f'![](<{folder}/{file}>){{fig-alt="{alt}"}}' for file in pictures]
    if label.startswith("fig-") and images:
        caption = options.get("fig-cap", "")
        images = [images[0].replace("![]", f"![{caption}]").replace("{", f"{{#{label} ", 1)]
    parts += [f"\n{image}\n" for image in images]
    kind = label.split("-")[0]
    if kind == "tbl" or (kind == "fig" and displays and not images):  # tables, samples as HTML
        given = f' fig-alt="{alt}"' if alt else ""
        parts[1 if options.get("echo", True) else 0] += f"\n:::: {{#{label}{given}}}\n"
        parts.append(f"\n{options.get(kind + '-cap', '')}\n::::\n")
    return "\n".join([*parts, ":::::\n"])


def source_markdown(path):
    """Return (Markdown, {picture: bytes}) of a page, whether .qmd or executed notebook."""
    files = {}
    if path.suffix == ".qmd":
        text = path.read_text(encoding="utf-8")
    else:
        notebook = notebooks.read(path)
        folder, parts = f"{path.stem}_files", []
        for i, cell in enumerate(notebook.cells):
            made = cell.source
            if cell.cell_type == "code":
                options, code = notebooks.split_options(made)
                tags = cell.metadata.get("tags", ())
                made = cell_markdown(i, options, code, cell.outputs, folder, files, tags)
            parts.append(made)
        text = "\n\n".join(parts)

    def include(match):
        return (path.parent / match[1]).read_text(encoding="utf-8")

    return re.sub(r"^{{< include (\S+) >}}$", include, text, flags=re.M), files


def pandoc(text, fmt, template, variables, cwd, navigation="", numbered=True):
    """Return `text` as HTML, with numbers, references and citations resolved.

    `variables` are metadata (their strings are Markdown), `navigation` is HTML for the template.
    """
    with tempfile.TemporaryDirectory() as tmp:
        metadata = Path(tmp) / "metadata.yml"
        metadata.write_text(yaml.safe_dump(variables), encoding="utf-8")
        command = [
            pypandoc.get_pandoc_path(), "--from=markdown", f"--to={fmt}", "--standalone",
            f"--template={ASSETS / template}", f"--lua-filter={ASSETS / 'book.lua'}",
            f"--lua-filter={ASSETS / 'quarto.lua'}", f"--lua-filter={ASSETS / 'late.lua'}",
            f"--metadata-file={metadata}", f"--variable=sidebar:{navigation}",
            "--citeproc", "--mathml", "--toc", "--toc-depth=2", "--syntax-highlighting=tango",
            "--slide-level=2", "--wrap=none", "--fail-if-warnings",
        ]  # fmt: skip
        if fmt == "revealjs":
            command += ["--reference-location=section"]
        elif numbered:
            command += ["--number-sections"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=cwd)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        ours = [line for line in lines if line.startswith("[book]")]
        raise BookError((ours or lines or ["Pandoc gave no message"])[0].removeprefix("[book] "))
    return done.stdout


class Sections(HTMLParser):
    """Cuts a page's main text into sections for the search index."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.sections, self.depth, self.skip = [], 0, 0

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "main":
            self.depth = 1
            self.sections.append({"id": "", "heading": "", "text": ""})
        elif self.depth and tag in ("h1", "h2") and attributes.get("id"):
            self.sections.append({"id": attributes["id"], "heading": "", "text": ""})
            self.heading = tag
        elif tag in ("script", "style", "annotation"):
            self.skip += 1

    def handle_endtag(self, tag):
        if tag == "main":
            self.depth = 0
        elif tag in ("script", "style", "annotation"):
            self.skip -= 1
        if tag == getattr(self, "heading", None):
            self.heading = None

    def handle_data(self, data):
        if self.depth and not self.skip:
            key = "heading" if getattr(self, "heading", None) else "text"
            self.sections[-1][key] += data


def search_entries(page, title, url):
    parser = Sections()
    parser.feed(page)
    return [
        {"title": title, "heading": s["heading"].strip(), "text": " ".join(s["text"].split()),
         "url": url + (f"#{s['id']}" if s["id"] else "")}
        for s in parser.sections
    ]  # fmt: skip


def sidebar(items, titles, here, up):
    """Return the navigation as HTML; `titles` is {page: title}, `up` the way to the site's root."""
    lines = ["<ul>"]
    for item in items:
        if isinstance(item, dict) and "contents" in item:
            lines.append(f'<li><span class="part">{html.escape(item["section"])}</span>')
            lines += [sidebar(item["contents"], titles, here, up), "</li>"]
        else:
            page = item if isinstance(item, str) else item["href"]
            mark = ' aria-current="page"' if page == here else ""
            url = up + str(Path(page).with_suffix(".html"))
            lines.append(f'<li><a href="{url}"{mark}>{html.escape(titles[page])}</a></li>')
    return "\n".join([*lines, "</ul>"])


def page_data(root, page):
    """Return the Front of a page."""
    path = root / page
    if path.suffix == ".ipynb":
        return notebooks.front_matter(notebooks.read(path), path)
    found = re.match(r"\A\s*---\n(.*?)\n---\s*$", path.read_text(encoding="utf-8"), re.S | re.M)
    return notebooks.page_front(found[1] if found else "", path, path.stem)


def render_thin(root, out):
    """Render every page of the book's sidebar into the empty folder `out` with Pandoc."""
    book = notebooks.config(root)
    pages = notebooks.pages(root)
    meta = {page: page_data(root, page) for page in pages}
    titles = {page: front.title for page, front in meta.items()}
    libs = out / "site_libs"
    shutil.copytree(ASSETS, libs / "book", ignore=shutil.ignore_patterns("*.lua", "*.html"))
    reveal = Path(find_spec("sphinx_revealjs").origin).parent / "_static" / "revealjs"
    for part in ("dist/reveal.js", "dist/reveal.css", "dist/reset.css", "plugin/notes", "LICENSE"):
        target = libs / "revealjs" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        source = reveal / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    for pattern in book["project"].get("resources", []):
        for resource in root.glob(pattern):
            target = out / resource.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(resource, target)
    index = []
    for i, page in enumerate(pages):
        text, files = source_markdown(root / page)
        target = out / Path(page).with_suffix(".html")
        target.parent.mkdir(parents=True, exist_ok=True)
        pictures = target.parent / f"{target.stem}_files"
        for name, content in files.items():
            pictures.mkdir(exist_ok=True)
            (pictures / name).write_bytes(content)
        up = "../" * (len(Path(page).parts) - 1)
        lecture = page.endswith(".ipynb")
        neighbours = {
            key: {"url": up + str(Path(pages[j]).with_suffix(".html")), "title": titles[pages[j]]}
            for key, j in (("previous", i - 1), ("next", i + 1))
            if 0 <= j < len(pages)
        }
        variables = {
            "book-title": book["website"]["title"],
            "book-root": str(root),
            "book-out": str(target.parent),
            "bibliography": [str(root / book["bibliography"])],
            "up": up or "./",
            "link-citations": True,
            "book-page": page,
            **neighbours,
        }
        links = sidebar(book["website"]["sidebar"]["contents"], titles, page, up)
        numbered = meta[page].numbered
        folder = root / Path(page).parent
        try:
            made = pandoc(text, "html", "page.html", variables, folder, links, numbered)
            index += search_entries(made, titles[page], str(Path(page).with_suffix(".html")))
            target.write_text(made, encoding="utf-8")
            if lecture:
                deck = pandoc(text, "revealjs", "deck.html", variables, folder)
                target.with_suffix(".slides.html").write_text(deck, encoding="utf-8")
        except BookError as error:
            raise BookError(f"{page}: {error}") from error
    script = "window.BOOK_INDEX = " + json.dumps(index, ensure_ascii=False) + ";\n"
    (libs / "book" / "search-index.js").write_text(script, encoding="utf-8")


def prepare(root=ROOT):
    """Write what pages show or offer besides the lectures: Colab notebooks, _parts/, cards/."""
    colab.write(root)
    frame.write(root)


def offline(folder):
    """Take out of a site that Quarto made what it loads from other hosts; return the files changed.

    Quarto adds require.js and jQuery to each notebook that has HTML among its outputs, as some
    widgets want them. Explorers and quiz questions bring all that they need.
    """
    changed = []
    for path in sorted(Path(folder).rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        kept = re.sub(r'<script src="https?://[^"]*"[^>]*></script>\n?', "", text)
        kept = re.sub(r"<script[^>]*>define\('jquery'.*?</script>\n?", "", kept)
        if kept != text:
            path.write_text(kept, encoding="utf-8")
            changed.append(path)
    return changed


def render_quarto(root, out):
    """Render the project with the real Quarto into the folder `out`; print what it warns of."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["quarto", "render", "--output-dir", os.path.relpath(out, root)]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)
    for line in done.stderr.splitlines():
        if re.search(r"WARN|\[W\]", line):
            print(f"quarto: {line.strip()}")
    if done.returncode:
        said = (done.stderr.strip() or "no message").splitlines()
        raise BookError(f"quarto render failed ({said[-1]}); run it by hand to see all it says")


def render(root=ROOT, out=None):
    """Render the book into `_site/`, replacing it only when all pages are made.

    The old site goes away by one renaming and the new one comes by another; what a killed run left
    between the two, or half made, is put right at the next start. Returns the engine's name,
    "Quarto" or "Pandoc".
    """
    root = Path(root)
    out = Path(out or root / "_site")
    fresh, old = out.with_name(out.name + ".part"), out.with_name(out.name + ".old")
    if old.exists() and not out.exists():
        old.rename(out)
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    fresh.mkdir(parents=True)
    quarto = shutil.which("quarto")
    try:
        prepare(root)
        (render_quarto if quarto else render_thin)(root, fresh)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    if out.exists() or out.is_symlink():
        out.rename(old)
    fresh.rename(out)
    if old.is_symlink():
        old.unlink()
    shutil.rmtree(old, ignore_errors=True)
    return "Quarto" if quarto else "Pandoc"
