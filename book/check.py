"""Structure rules of the book: what can be said of lectures and data without running them."""

import ast
import contextlib
import os
import re
import subprocess
from pathlib import Path

from book import ROOT, BookError, definitions, fingerprint, live, notebooks, render, talk
from support import files

LECTURE_BYTES = 3_000_000
CHECKOUT_BYTES = 120_000_000
SLIDE_CODE_LINES, CODE_LINES, SLIDE_CODE_COLUMNS = 15, 30, 92
FRONT = ("title", "description", "minutes", "card")
KINDS = ("fig", "tbl", "eq", "sec", "thm")
CARD_FIELDS = ["What", "Shape and units", "Source", "Licence", "Size", "SHA-256", "Made by"]
CARD_FIELDS += ["Biases and limits", "Used in"]


def prose(notebook):
    """Return the Markdown of a lecture with code spans and blocks taken out."""
    text = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    text += "\n\n" + "\n".join(
        str(options.get(key, ""))
        for _, options, _, _ in notebooks.code_cells(notebook)
        for key in ("fig-cap", "tbl-cap")
    )
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)


def check_figures(notebook):
    """Every picture is alone in its cell and has a label, a caption and another alt text."""
    for i, options, _, outputs in notebooks.code_cells(notebook):
        pictures = any(kind.startswith("image/") for o in outputs for kind in o.get("data", {}))
        label = str(options.get("label", ""))
        if pictures and not label.startswith("fig-"):
            yield f"cell {i} shows a figure but has no label fig-…"
        if not (pictures or label.startswith("fig-")):
            if "constant" in notebook.cells[i].metadata.get("tags", []):
                yield f"cell {i} has the tag constant, which is for figures, but draws none"
            continue
        name = label or f"in cell {i}"
        displays = [output for output in outputs if output.output_type != "stream"]
        if len(displays) > 1:
            yield f"figure {name} shows {len(displays)} things: {render.ALONE}"
        for kind in {kind for o in displays for kind in o.get("data", {})}:
            if kind.startswith("image/") and kind not in render.PICTURES:
                yield f"figure {name} is {kind}, which Quarto drops: save it as PNG"
        if label.startswith("fig-") and not outputs:
            yield f"figure {name} is empty: its cell has no output"
        for key, what in (("fig-cap", "caption"), ("fig-alt", "alt text")):
            if not str(options.get(key, "")).strip():
                yield f"figure {name} has no {what} (#| {key}: …)"
        if options.get("fig-alt") and options.get("fig-alt") == options.get("fig-cap"):
            yield f"figure {name} repeats its caption as alt text"


def check_code(notebook):
    """No stored errors; code short enough for its place; every cell executed."""
    for i, options, code, outputs in notebooks.code_cells(notebook):
        for output in outputs:
            if output.output_type == "error":
                yield f"cell {i} has a stored error: {output.ename}: {output.evalue}"
        lines = len([line for line in code.splitlines() if line.strip()])
        shown = options.get("echo", True) and options.get("code-fold") is not True
        if lines > CODE_LINES or (shown and lines > SLIDE_CODE_LINES):
            most = SLIDE_CODE_LINES if shown else CODE_LINES
            yield f"cell {i} has {lines} lines of code, at most {most} fit"
        wide = max((len(line) for line in code.splitlines()), default=0)
        if shown and wide > SLIDE_CODE_COLUMNS:
            yield f"cell {i} has a line of {wide} characters, at most {SLIDE_CODE_COLUMNS} fit"
        yield from check_imports(i, code)
        if code.strip() and notebook.cells[i].execution_count is None:
            yield f"cell {i} was not executed: run `make book`"


def check_imports(index, code):
    """Helpers are imported by their name, so that a change in them is noticed."""
    for node in ast.walk(fingerprint.parse(code)):
        names = [alias.name for alias in getattr(node, "names", []) if hasattr(alias, "name")]
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names if isinstance(node, ast.Import | ast.ImportFrom) else []:
            top, plain = name.split(".")[0], isinstance(node, ast.Import)
            if top == fingerprint.PACKAGE:
                yield f"cell {index} imports {name}: lectures use helpers only, `import helpers`"
            elif top == fingerprint.HELPERS and not (plain and node.names[0].asname is None):
                yield (
                    f"cell {index} says `{ast.unparse(node)}`: write `import helpers`, alone and "
                    "without another name, so that changes in helpers are noticed"
                )


def check_solutions(notebook):
    """A solution follows an exercise, and both renderers know it as one."""
    for i, cell in enumerate(notebook.cells):
        if not notebooks.is_solution(cell):
            continue
        if not notebooks.heading_before(notebook, i).startswith("Exercise"):
            yield f"cell {i} is tagged solution but doesn't stand below a heading Exercise …"
        if cell.cell_type == "code":
            options, _ = notebooks.split_options(cell.source)
            if (options.get("code-fold"), options.get("code-summary")) != (True, "Solution"):
                yield f"solution in cell {i} lacks #| code-fold: true, #| code-summary: Solution"
        elif not re.fullmatch(r"::: \{\.solution\}\n.*\n:::", cell.source.strip(), re.S):
            yield f"solution in cell {i} doesn't stand between ::: {{.solution}} and :::"


def check_maths(notebook):
    """No TeX that the Pandoc inside Quarto 1.7 doesn't know."""
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown" and (found := re.search(r"\\Big[lr]\b", cell.source)):
            yield f"cell {i} has {found[0]}, which Quarto 1.7 doesn't know: write \\Big"


def check_references(notebook, root):
    """Citations, cross-references and glossary links have their targets."""
    text = prose(notebook)
    bibliography = (root / "references.bib").read_text(encoding="utf-8")
    keys = set(re.findall(r"^@\w+\{([^,\s]+),", bibliography, re.M))
    labels = set(re.findall(r"\{[^}\n]*#([\w-]+)[^}\n]*\}", text))
    for _, options, _, _ in notebooks.code_cells(notebook):
        if label := options.get("label"):
            if label in labels:
                yield f"label {label} is used twice"
            labels.add(label)
    for key in sorted(set(re.findall(r"(?<![\w.])@([A-Za-z][\w:-]*\w)", text))):
        if key.split("-")[0] in KINDS and "-" in key:
            if key not in labels:
                yield f"cross-reference @{key} has no target"
        elif key not in keys:
            yield f"citation @{key} is not in references.bib"
    glossary = (root / "glossary.qmd").read_text(encoding="utf-8")
    terms = set(re.findall(r"\{#([\w-]+)\}", glossary))
    for term in sorted(set(re.findall(r"glossary\.qmd#([\w-]+)", text)) - terms):
        yield f"glossary link #{term} has no entry in glossary.qmd"


def check_live(notebook):
    """A live explorer's networks are those that the lecture's run has stored."""
    for _, _, _, outputs in notebooks.code_cells(notebook):
        for output in outputs:
            yield from live.damaged(output.get("data", {}).get("text/html", ""))


def check_records(notebook, path, root):
    """Every recorded value has a declared band, and the other way round."""
    bands, file = notebooks.bands(path, root), f"tests/expected/{notebooks.number(path)}.yml"
    recorded = notebooks.records(notebook)
    for name in sorted(set(recorded) - set(bands)):
        yield f"record {name} has no band in {file}"
    for name in sorted(set(bands) - set(recorded)):
        yield f"band {name} in {file} has no record"


def check_lecture(path, root=ROOT):
    """Return what is wrong with one lecture, as sentences."""
    try:
        notebook = notebooks.read(path)
        front = notebooks.front_matter(notebook, path)
        problems = [f"front matter has no {key}" for key in FRONT if key not in front.given]
        problems += talk.check(notebook, front)
        for check_part in (check_figures, check_code, check_solutions, check_maths, check_live):
            problems += check_part(notebook)
        problems += check_references(notebook, root)
        problems += check_records(notebook, path, root)
    except BookError as error:
        problems = [str(error)]
    if path.stat().st_size > LECTURE_BYTES:
        problems.append(f"it is {path.stat().st_size / 1e6:.1f} MB, over 3 MB")
    return [f"{path.name}: {problem}" for problem in problems]


def check_fresh(path, root=ROOT):
    """Return why the stored outputs of a lecture are stale, as a list of at most one sentence."""
    why = fingerprint.stale(path, root)
    return [f"{path.name}: stored outputs are stale ({why}): run `make book`"] if why else []


def own_files(root=ROOT):
    """Return the files of the book: what Git tracks, or without Git all but what builds leave."""
    root = Path(root)
    with contextlib.suppress(OSError):  # no Git on this machine
        command = ["git", "ls-files", "-z"]
        said = subprocess.run(command, cwd=root, capture_output=True, text=True, encoding="utf-8")
        if "_quarto.yml" in (names := said.stdout.split("\0")):
            return [root / name for name in names if name and (root / name).is_file()]
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [
            n for n in folders if n not in render.MADE and (n[0] != "." or n == ".github")
        ]
        found += [Path(folder) / name for name in names]
    return found


def check_sizes(root=ROOT):
    """A checkout stays under 120 MB; what is over 2 MB has its reason in data/README.md."""
    files = own_files(root)
    total = sum(file.stat().st_size for file in files)
    if total > CHECKOUT_BYTES:
        yield f"the checkout has {total / 1e6:.0f} MB, over {CHECKOUT_BYTES / 1e6:.0f} MB"
    reasons = (Path(root) / "data" / "README.md").read_text(encoding="utf-8")
    for file in files:
        big = file.stat().st_size > 2_000_000 and file.suffix != ".ipynb"
        if big and file.name not in reasons:
            yield f"{file.name} is over 2 MB and data/README.md doesn't say why"


def data_cards(root=ROOT):
    """Return {heading: {field: text}} of the cards in data/README.md."""
    text = (Path(root) / "data" / "README.md").read_text(encoding="utf-8")
    return {
        part.splitlines()[0]: dict(re.findall(r"(?m)^- \*\*(.+?):\*\*[ \t]*(.*)$", part))
        for part in re.split(r"(?m)^## ", text)[1:]
    }


def damaged_data(root=ROOT):
    """Yield a sentence for each listed data file that is missing or has another hash."""
    for name, sha in files.listed(Path(root) / "data").items():
        path = Path(root) / "data" / name
        if not path.is_file():
            yield f"data/{name} is missing: `git checkout -- data/{name}` restores it"
        elif (found := files.sha256(path.read_bytes())) != sha:
            yield f"data/{name} has SHA-256 {found}, data/SHA256SUMS says {sha}"


def check_card(name, card, root=ROOT):
    """Yield what is wrong with the card (a dict of fields) of data file or package `name`."""
    empty = [field for field in CARD_FIELDS if not card.get(field, "").strip(" -")]
    if empty:
        yield f"the card of {name} lacks {', '.join(empty)}"
    elif list(card) != CARD_FIELDS:
        yield f"the card of {name} has fields other than {', '.join(CARD_FIELDS)}, in this order"
    sums, path = files.listed(Path(root) / "data"), Path(root) / "data" / name
    if name in sums and card.get("SHA-256") != f"`{sums[name]}`":
        yield f"the card of {name} has another SHA-256 than data/SHA256SUMS"
    if path.is_file() and card.get("Size") != f"{path.stat().st_size:,} bytes":
        yield f"the card of {name} has another size than the file"
    if name not in sums and not name.endswith("(package)"):
        yield f"the card of {name} has no file in data/SHA256SUMS"
    made_by = card.get("Made by", "")
    makers = re.findall(r"`(\S+\.py)`", made_by)
    if not makers and not made_by.startswith(("By hand", "Nothing")):
        yield f"the card of {name} names no maker (`NAME.py`, or By hand, or Nothing)"
    licences = re.findall(r"`(\S+\.LICENSE\.txt)`", card.get("Licence", ""))
    for file in makers + [f"data/{licence}" for licence in licences]:
        if not (Path(root) / file).is_file():
            yield f"the card of {name} names {file}, which doesn't exist"


def check_checkpoints(root=ROOT):
    """Yield a sentence for each checkpoint whose lecture's code, or maker's settings, moved on."""
    for name in files.listed(Path(root) / "data"):
        path = Path(root) / "data" / name
        if path.suffix not in (".safetensors", ".npz") or not path.is_file():
            continue
        stored = files.read_notes(path).get("made_from")
        if stored and definitions.moved_on(stored, Path(root)):
            yield (
                f"data/{name} was trained by other code than {stored['lecture']} has now: make it "
                "again, see its card in data/README.md"
            )


def check_data(root=ROOT):
    """Return what is wrong with data/, its hashes, cards, licences and makers, as sentences."""
    folder, cards = Path(root) / "data", data_cards(root)
    try:
        sums = files.listed(folder)
    except ValueError as error:
        return [str(error)]
    problems = list(damaged_data(root))
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    found = {n for n in found if not n.endswith(".part")}
    for name in sorted(found - set(sums) - {"README.md", "SHA256SUMS"}):
        problems.append(f"data/{name} is not listed in data/SHA256SUMS")
    for name in sums:
        if name not in cards and not name.endswith(".LICENSE.txt"):
            problems.append(f"data/{name} has no card in data/README.md")
    for name, card in cards.items():
        problems += check_card(name, card, root)
    named = " ".join(card.get("Made by", "") for card in cards.values())
    for maker in sorted((Path(root) / "makers").glob("*.py")):
        writes = re.search(r"\bsave_(bytes|npz|checkpoint)\(", maker.read_text("utf-8"))
        if writes and maker.stem != "common" and f"`makers/{maker.name}`" not in named:
            problems.append(f"makers/{maker.name} is named by no card")
    return problems + list(check_checkpoints(root))


def check(root=ROOT):
    """Return everything that is wrong with the book, as a list of sentences."""
    problems = [*check_sizes(root), *check_data(root)]
    for path in notebooks.lectures(root):
        problems += check_lecture(path, root) + check_fresh(path, root)
    return problems
