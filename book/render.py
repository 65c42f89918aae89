"""Render the website and the decks: with Quarto where it's installed, else with Pandoc alone.

The thin way: notebook to Markdown (here), Markdown to HTML (Pandoc, assets/book.lua, which Quarto
runs too, assets/quarto.lua and two templates). It knows the part of Quarto that lectures use and
stops at anything else.
"""

import base64
import hashlib
import html
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import yaml

from book import ROOT, BookError, colab, frame, live, markdown, notebooks
from support import widgets

ASSETS = Path(__file__).parent / "assets"
# What Quarto takes from a notebook, in its order
PICTURES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}
CELL_OPTIONS = {
    "label", "fig-cap", "fig-alt", "tbl-cap", "echo", "output", "include", "code-fold",
    "code-summary",
}  # fmt: skip
# What builds leave in the book's folder
MADE = ("_site", "_site.part", "_site.old", "_parts", "cards", "colab", "__pycache__")
SCRIPTS = (widgets.EXPLORER,)  # templates whose scripts may run on pages, and no others from cells
NONCE = secrets.token_hex(16)  # stands for a page's nonce until the page is whole
PLAIN = ("book-root", "book-page", "book-out", "bibliography", "up", "previous-url", "next-url")
FRONT = re.compile(r"\A\s*---\n(.*?)\n---[ \t]*$", re.S | re.M)
ALONE = "a figure stands alone in its cell, records in the next one (Quarto numbers them (a), (b))"


def fenced(text, attributes=""):
    ticks = "`" * max(3, 1 + max((len(t) for t in re.findall(r"`+", text)), default=0))
    return f"{ticks} {attributes}\n{text}\n{ticks}\n"


def let_in(text, cell):
    """Return the HTML of an output, whose scripts are those of helpers' explorers and may run.

    Raises BookError for any other script: nothing but this book's own runs on a page.
    """
    text, rest = live.let_in(text, NONCE)
    for template in SCRIPTS:
        script = re.search(r"<script>.*?</script>", template.template, re.S)[0]
        own = re.escape(script).replace(r"\$id", r"[\w-]+").replace(r"\$data", r"(\{.*\})")
        for found in re.finditer(own, rest):
            data = json.dumps(json.loads(found[1]), ensure_ascii=False).replace("<", r"\u003c")
            safe = found[0].replace(found[1], data)
            text = text.replace(found[0], safe.replace("<script>", f'<script nonce="{NONCE}">', 1))
        rest = re.sub(own, "", rest)
    if re.search(r"<script|\bnonce\b", rest, re.I):
        raise BookError(
            f"cell {cell} shows HTML with a script of its own; pages run none but those of "
            "helpers.explorer and helpers.live_explorer: use these, or show a picture"
        )
    return text


def output_markdown(output, name, files):
    """Return the Markdown of one output; pictures are added to `files` {name: bytes}."""
    if output.output_type == "stream":
        return f"::: {{.cell-output .cell-output-{output.name}}}\n{fenced(output.text)}:::\n"
    if output.output_type == "error":
        raise BookError(f"cell {name} has a stored error: {output.ename}: {output.evalue}")
    data = output.data
    if "text/html" in data:  # before pictures, as in Quarto
        text = fenced(let_in(data["text/html"], name), "{=html}")
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
    marks = f" tags={markdown.quoted(json.dumps(list(tags)))}" if tags else ""
    parts = [f"::::: {{.cell #cell-{label}{marks}}}\n"]
    if options.get("echo", True) and code.strip():
        fold = ""
        if "code-fold" in options:
            fold += f" code-fold={markdown.quoted(str(options['code-fold']).lower())}"
        if "code-summary" in options:
            fold += f" code-summary={markdown.quoted(options['code-summary'])}"
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
    alt = f"fig-alt={markdown.quoted(options.get('fig-alt', ''))}"
    kind = label.split("-")[0]
    caption = f"#{label} {kind}-cap={markdown.quoted(options.get(f'{kind}-cap', ''))} "
    for file in pictures:
        given = (caption if kind == "fig" else "") + alt
        parts.append(f"\n![](<{quote(folder)}/{file}>){{{given}}}\n")
    if kind == "tbl" or (kind == "fig" and displays and not pictures):  # tables, samples as HTML
        given = caption + (alt if "fig-alt" in options else "")
        parts[1 if options.get("echo", True) else 0] += f"\n:::: {{{given}}}\n"
        parts.append("\n::::\n")
    return "\n".join([*parts, ":::::\n"])


def prose(text, where):
    """Return an author's Markdown; raises BookError for what only another program would show."""
    if fence := re.search(r"(?m)^ *(?:`{3,}|~{3,}) *\{(\w+)[ ,}]", text):
        raise BookError(
            f"{where} has a fence {{{fence[1]}}}, which only Quarto runs: use a code cell, or "
            f"`{fence[1]}` without braces to show the text"
        )
    return text


def attached(cell, i, folder, files):
    """Return the source of Markdown cell `i` with its attachments as `files` {name: bytes}."""
    text = cell.source
    for n, (name, data) in enumerate(cell.get("attachments", {}).items(), start=1):
        mime, content = next(iter(data.items()))
        if mime not in PICTURES:
            raise BookError(f"cell {i} has {name} attached, which is {mime}: attach PNG or JPEG")
        file = f"attached-{i}-{n}.{PICTURES[mime]}"
        files[file] = base64.b64decode(content)
        for said in (name, quote(name)):
            text = text.replace(f"attachment:{said}", f"{quote(folder)}/{file}")
    return text


def source_markdown(path, root=ROOT):
    """Return (Markdown, {picture: bytes}) of a page, whether .qmd or executed notebook.

    The front matter isn't part of it: `page_data` reads it.
    """
    files = {}
    if path.suffix == ".qmd":
        text = prose(FRONT.sub("", path.read_text(encoding="utf-8"), count=1), path.name)
    else:
        notebook = notebooks.read(path)
        folder, parts = f"{path.stem}_files", []
        first = int(notebooks.has_front_matter(notebook))
        for i, cell in enumerate(notebook.cells[first:], start=first):
            if cell.cell_type == "code":
                options, code = notebooks.split_options(cell.source)
                tags = cell.metadata.get("tags", ())
                made = cell_markdown(i, options, code, cell.outputs, folder, files, tags)
            else:
                made = prose(attached(cell, i, folder, files), f"cell {i}")
            parts.append(made)
        text = "\n\n".join(parts)
    return markdown.included(text, path, root), files


def pandoc(text, fmt, template, variables, cwd, navigation="", numbered=True):
    """Return `text` as HTML, with numbers, references and citations resolved.

    `variables` are metadata: Markdown, or plain text for those in PLAIN; `navigation` is HTML.
    The page's policy lets in the scripts that bear its nonce, which is made of the whole page, so
    that no text can hold it beforehand.
    """
    with tempfile.TemporaryDirectory() as tmp:
        metadata = Path(tmp) / "metadata.yml"
        marked = {key: value for key, value in variables.items() if key not in PLAIN}
        metadata.write_text(yaml.safe_dump(marked), encoding="utf-8")
        options = [
            f"--to={fmt}", "--standalone",
            *(f"--metadata={key}={variables[key]}" for key in PLAIN if key in variables),
            f"--template={ASSETS / template}", f"--lua-filter={ASSETS / 'book.lua'}",
            f"--lua-filter={ASSETS / 'quarto.lua'}", f"--lua-filter={ASSETS / 'late.lua'}",
            f"--metadata-file={metadata}", f"--variable=sidebar:{navigation}",
            f"--variable=nonce:{NONCE}",
            "--citeproc", "--mathml", "--toc", "--toc-depth=2", "--syntax-highlighting=tango",
            "--slide-level=2", "--wrap=none",
        ]  # fmt: skip
        if fmt == "revealjs":
            options += ["--reference-location=section"]
        elif numbered:
            options += ["--number-sections"]
        made = markdown.pandoc(text, options, cwd)
    nonce = hashlib.sha256(made.encode()).hexdigest()[:32]
    return made.replace(NONCE, nonce)


class Sections(HTMLParser):
    """Cuts a page's main text into sections for the search index; lists the files it shows."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.sections, self.depth, self.skip, self.shown = [], 0, 0, []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag in ("img", "video", "audio", "source") and attributes.get("src"):
            self.shown.append(attributes["src"])
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


def search_entries(parsed, title, url):
    return [
        {"title": title, "heading": s["heading"].strip(), "text": " ".join(s["text"].split()),
         "url": url + (f"#{s['id']}" if s["id"] else "")}
        for s in parsed.sections
    ]  # fmt: skip


def copy_shown(shown, page, root, out):
    """Copy the pictures of the project that `page` shows by their paths beside it into the site."""
    for named in shown:
        parts = urlsplit(named)
        if parts.scheme in ("data", "http", "https") or parts.netloc:
            continue
        made = Path(os.path.normpath((out / page).parent / unquote(parts.path)))
        if made.is_file() and made.is_relative_to(out):
            continue
        file = notebooks.picture(named, root / page, root)
        target = out / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)


def address(page):
    """Return the address of a page's HTML in the site, from its root."""
    return quote(Path(page).with_suffix(".html").as_posix())


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
            lines.append(
                f'<li><a href="{up}{address(page)}"{mark}>{html.escape(titles[page])}</a></li>'
            )
    return "\n".join([*lines, "</ul>"])


def page_data(root, page):
    """Return the Front of a page."""
    path = root / page
    if path.suffix == ".ipynb":
        return notebooks.front_matter(notebooks.read(path), path)
    found = FRONT.match(path.read_text(encoding="utf-8"))
    return notebooks.page_front(found[1] if found else "", path, path.stem)


def render_thin(root, out):
    """Render every page of the book's sidebar into the empty folder `out` with Pandoc."""
    root, out = Path(root).resolve(), Path(out).resolve()
    book = notebooks.config(root)
    pages = notebooks.pages(root)
    meta = {page: page_data(root, page) for page in pages}
    titles = {page: front.title for page, front in meta.items()}
    libs = out / "site_libs"
    shutil.copytree(ASSETS, libs / "book", ignore=shutil.ignore_patterns("*.lua", "*.html"))
    (libs / "book" / "live.js").write_text(live.site_script(), encoding="utf-8")
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
        target = out / Path(page).with_suffix(".html")
        target.parent.mkdir(parents=True, exist_ok=True)
        pictures = target.parent / f"{target.stem}_files"
        up = "../" * (len(Path(page).parts) - 1)
        lecture = page.endswith(".ipynb")
        variables = {
            "title": titles[page],
            "subtitle": str(meta[page].given.get("subtitle") or ""),
            "description": meta[page].description,
            "book-title": book["website"]["title"],
            "book-root": root,
            "book-page": page,
            "book-out": target.parent,
            "bibliography": root / book["bibliography"],
            "up": up or "./",
            "link-citations": True,
        }
        for key, j in (("previous", i - 1), ("next", i + 1)):
            if 0 <= j < len(pages):
                variables[key] = titles[pages[j]]
                variables[f"{key}-url"] = up + address(pages[j])
        links = sidebar(book["website"]["sidebar"]["contents"], titles, page, up)
        numbered = meta[page].numbered
        folder = root / Path(page).parent
        try:
            text, files = source_markdown(root / page, root)
            for name, content in files.items():
                pictures.mkdir(exist_ok=True)
                (pictures / name).write_bytes(content)
            made = pandoc(text, "html", "page.html", variables, folder, links, numbered)
            parsed = Sections()
            parsed.feed(made)
            copy_shown(parsed.shown, page, root, out)
            index += search_entries(parsed, titles[page], address(page))
            target.write_text(live.lighten(made, target, up or "./"), encoding="utf-8")
            if lecture:
                deck = pandoc(text, "revealjs", "deck.html", variables, folder)
                deck = live.lighten(deck, target, up or "./")
                target.with_suffix(".slides.html").write_text(deck, encoding="utf-8")
        except BookError as error:
            raise BookError(f"{page}: {error}") from error
    script = "window.BOOK_INDEX = " + json.dumps(index, ensure_ascii=False) + ";\n"
    (libs / "book" / "search-index.js").write_text(script, encoding="utf-8")


def teaser(root):
    """Return the Markdown of the explorer that stands on the home page, or an empty text.

    A lecture's front matter names it: `teaser: explorer-…`, the label of its cell.
    """
    for path in notebooks.lectures(root):
        notebook = notebooks.read(path)
        asked = notebooks.front_matter(notebook, path).given.get("teaser")
        for _, options, _, outputs in notebooks.code_cells(notebook) if asked else ():
            found = [o.data["text/html"] for o in outputs if "text/html" in o.get("data", {})]
            if options.get("label") == asked and found:
                shown = fenced(let_in(found[0], asked), "{=html}")
                return f"::: {{.teaser}}\n{shown}:::\n"
    return ""


def prepare(root=ROOT):
    """Write what pages show or offer besides the lectures: Colab notebooks, _parts/, cards/."""
    colab.write(root)
    frame.write(root, {"teaser.md": [teaser(root)]})


def offline(folder):
    """Take out of a site that Quarto made what it loads from other hosts; return the files changed.

    Quarto adds require.js and jQuery to each notebook that has HTML among its outputs, as some
    widgets want them. Explorers and quiz questions bring all that they need. What live explorers
    bring goes into files, as in the thin renderer's site.
    """
    changed, script = [], Path(folder) / "site_libs" / "book" / "live.js"
    for path in sorted(Path(folder).rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        kept = re.sub(r'<script src="https?://[^"]*"[^>]*></script>\n?', "", text)
        kept = re.sub(r"<script[^>]*>define\('jquery'.*?</script>\n?", "", kept)
        if live.blocks(kept):
            script.parent.mkdir(parents=True, exist_ok=True)
            script.write_text(live.site_script(), encoding="utf-8")
            up = "../" * (len(path.relative_to(folder).parts) - 1)
            kept = live.lighten(kept, path, up or "./")
        if kept != text:
            path.write_text(kept, encoding="utf-8")
            changed.append(path)
    return changed


def render_quarto(root, out):
    """Render the project with the real Quarto into the folder `out`; print what it warns of."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["quarto", "render", "--output-dir", os.path.relpath(out, root)]
    done = subprocess.run(
        command, cwd=root, env=env, capture_output=True, text=True, encoding="utf-8"
    )
    for line in done.stderr.splitlines():
        if re.search(r"WARN|\[W\]", line):
            print(f"quarto: {line.strip()}")
    if done.returncode:
        said = (done.stderr.strip() or "no message").splitlines()
        raise BookError(f"quarto render failed ({said[-1]}); run it by hand to see all it says")


def render_to(out, root=ROOT):
    """Render the book into the folder `out` from a copy, so that `root` stays as it is.

    That can be a checkout that nobody may write to.
    """
    left = shutil.ignore_patterns(".*", *MADE)
    with tempfile.TemporaryDirectory(prefix="book-render-") as copy:
        book = Path(shutil.copytree(root, Path(copy) / "book", ignore=left))
        for path in (book, *book.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)
        return render(book, out)


def repair(out):
    """Put right what a killed run left of the site `out`, and remove what it left beside it."""
    fresh, old = out.with_name(out.name + ".part"), out.with_name(out.name + ".old")
    if old.exists() and not out.exists():
        old.rename(out)
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)


def render(root=ROOT, out=None):
    """Render the book into `_site/`, replacing it only when all pages are made.

    The old site goes away by one renaming and the new one comes by another; what a killed run left
    between the two, or half made, is put right at the next start. Returns the engine's name,
    "Quarto" or "Pandoc".
    """
    root = Path(root)
    out = Path(out or root / "_site")
    fresh, old = out.with_name(out.name + ".part"), out.with_name(out.name + ".old")
    repair(out)
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
