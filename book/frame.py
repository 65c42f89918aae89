"""Write what the book says of itself: cards of the lectures, status, bands, places of terms.

The pages index.qmd, status.qmd and glossary.qmd, and the lectures' own, show what this writes into
_parts/; assets/book.lua puts it there, in Quarto and in the thin renderer alike.
"""

import base64
import json
import os
import re
from pathlib import Path
from urllib.parse import quote

from book import ROOT, audit, colab, markdown, notebooks, sweep


def read(path, root=ROOT):
    """Return what the frame shows of the executed lecture at `path`, as a dict."""
    notebook = notebooks.read(path)
    front = notebooks.front_matter(notebook, path)
    lecture = {"path": f"lectures/{path.name}", "number": notebooks.number(path)}
    lecture |= {"title": front.title, "description": front.description}
    lecture |= {"run": notebooks.last_run(notebook), "terms": {}, "picture": None}
    lecture |= {"records": notebooks.records(notebook), "bands": notebooks.bands(path, root)}
    section = None
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        found = re.findall(r"\{#(sec-[\w-]+)\}|glossary\.qmd#([\w-]+)\)", cell.source)
        for anchor, term in found:
            section = anchor or section
            if term and section:
                lecture["terms"].setdefault(term, section)
    for _, options, _, outputs in notebooks.code_cells(notebook):
        pictures = [o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})]
        if pictures and options.get("label") == front.card:
            lecture["picture"] = (pictures[0], str(options.get("fig-alt", "")))
    return lecture


def expected(band):
    """Return the words for a declared band, such as "0.92 to 0.97"."""
    return f"{band['low']:g} to {band['high']:g}"


def dot(value, low, high):
    """Return a picture (inline SVG) of a value in its band, with as much room on either side."""
    share = (value - low) / (high - low) if high > low else 0.5
    x = 16 + 80 * min(max(share, -0.12), 1.12)
    said = f"{value:.4g} in the band {low:g} to {high:g}"
    return (
        f'<svg class="band" width="112" height="16" role="img" aria-label="{said}">'
        '<rect x="16" y="5" width="80" height="6" rx="3"></rect>'
        f'<circle cx="{x:.1f}" cy="8" r="5"></circle></svg>'
    )


def card(lecture, root):
    """Return the Markdown of a lecture's card; write its picture into cards/."""
    lines = ["::: {.card}"]
    if lecture["picture"]:
        png, alt = lecture["picture"]
        file = root / "cards" / f"{lecture['number']}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(base64.b64decode(png))
        lines += [f"![](cards/{quote(file.name)}){{fig-alt={markdown.quoted(alt)}}}\\", ""]
    title = markdown.plain(f"{lecture['number'].lstrip('0')} {lecture['title']}")
    lines += [f"**[{title}]({quote(lecture['path'])})**", ""]
    return "\n".join([*lines, markdown.plain(lecture["description"]), ":::", ""])


def measured(lecture):
    """Return {name: {place, value, band}} of a lecture's records, the last two in words."""
    found = {}
    for place, (name, record) in enumerate(lecture["records"].items()):
        band = lecture["bands"].get(name)
        value = f"{record['value']:.4g} {record['unit']}".strip()
        found[name] = {"place": place, "value": value}
        found[name]["band"] = expected(band) if band else "none"
    return found


def status(lecture, root):
    """Return the Markdown of a lecture's part of the status page."""
    title = markdown.plain(f"{lecture['number']} {lecture['title']}")
    run, lines = lecture["run"], [f"## {title}", ""]
    if not run:
        return "\n".join([*lines, "Not executed yet.", ""])
    versions = ", ".join(f"{name} {number}" for name, number in sorted(run["versions"].items()))
    lines += [
        f"Executed on {markdown.plain(run['executed'])} with seed {run['seed']} in "
        f"{run['seconds']:.0f} s, at most {run['peak_memory_mb']:,} MB of memory; "
        f"{markdown.plain(versions)}.", "",
        "| recorded | value | band | |", "|:------------|:-----------|:--------|:------|",
    ]  # fmt: skip
    for name, row in measured(lecture).items():
        band = lecture["bands"].get(name)
        record = lecture["records"][name]
        picture = dot(record["value"], band["low"], band["high"]) if band else ""
        value = f"{record['value']:.4g} {markdown.plain(record['unit'])}".strip()
        lines.append(f"| `{name}` | {value} | {row['band']} | {picture} |")
    return "\n".join([*lines, ""])


def backends(lectures, root):
    """Return a Markdown table of lectures by backends: runs, seconds, values in their bands.

    From the tables that `python -m book sweep` keeps; on TensorFlow from the stored run where there
    is no other.
    """
    lines = [f"| lecture | {' | '.join(sweep.BACKENDS)} |", "|:--" * 4 + "|"]
    for lecture in lectures:
        found, cells = sweep.runs(root / lecture["path"], root), []
        for backend in sweep.BACKENDS:
            mine = [run for run in found if run["backend"] == backend]
            if not mine and backend == "tensorflow" and lecture["run"]:
                values = {name: record["value"] for name, record in lecture["records"].items()}
                mine = [{"values": values, "seconds": lecture["run"]["seconds"]}]
            count = sum(len(run["values"]) for run in mine)
            bad = sum(len(sweep.outside(run, lecture["bands"])) for run in mine)
            seconds = sorted(run["seconds"] for run in mine)
            runs = f"{len(mine)} run" + "s" * (len(mine) > 1)
            middle = f"{seconds[len(mine) // 2]:.0f} s" if mine else ""
            cells.append(f"{count - bad} of {count} values, {runs}, {middle}" if mine else "–")
        lines.append(f"| {lecture['number'].lstrip('0')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def terms(lectures, root):
    """Return a Markdown table of glossary terms and the sections that use them first."""
    text = (root / "glossary.qmd").read_text(encoding="utf-8")
    lines = ["| term | first used in |", "|:--|:--|"]
    for name, anchor in re.findall(r"(?m)^## (.+?) \{#([\w-]+)\}$", text):
        places = [
            f"[{lecture['number'].lstrip('0')}]({quote(lecture['path'])}#{lecture['terms'][anchor]})"
            for lecture in lectures
            if anchor in lecture["terms"]
        ]
        lines.append(f"| [{name}](#{anchor}) | {', '.join(places) or '–'} |")
    return "\n".join(lines)


def write(root=ROOT, others=None):
    """Write cards.md, status.md, terms.md, measured.json and ways.json to _parts/, and cards/.

    `others` are more parts, {name: lines}.
    """
    paths = notebooks.lectures(root)
    lectures = [read(path, root) for path in paths]
    values = {Path(lecture["path"]).stem: measured(lecture) for lecture in lectures}
    repository = notebooks.config(root)["website"].get("repo-url")
    ways = {p.stem: colab.url(repository, p.name) if repository else "" for p in paths}
    parts = {
        "cards.md": ["::: {.cards}", *(card(lecture, root) for lecture in lectures), ":::"],
        "backends.md": [backends(lectures, root)],
        "status.md": [status(lecture, root) for lecture in lectures],
        "packages.md": [audit.table()] if (root / "requirements.txt").exists() else [],
        "terms.md": [terms(lectures, root)] if (root / "glossary.qmd").exists() else [],
        "measured.json": [json.dumps(values, indent=1)],
        "ways.json": [json.dumps(ways, indent=1)],
    }
    shown = {f"{lecture['number']}.png" for lecture in lectures if lecture["picture"]}
    for left in (root / "cards").glob("*.png"):
        if left.name not in shown:
            left.unlink()
    folder = root / "_parts"
    folder.mkdir(exist_ok=True)
    for name, text in (parts | (others or {})).items():
        part = folder / f"{name}.part"
        part.write_text("\n".join(text) + "\n", encoding="utf-8")
        os.replace(part, folder / name)
