"""Write what the book says of itself: cards of the lectures, status, where terms are used.

Standard library only: Quarto runs this before it renders, with whatever Python it finds. The pages
index.qmd, status.qmd and glossary.qmd include the files that it writes into _parts/.
"""

import base64
import html
import json
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORD = "application/vnd.book.record+json"


def read(path):
    """Return what the frame shows of the executed lecture at `path`, as a dict."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [(cell, "".join(cell["source"])) for cell in notebook["cells"]]
    front = dict(re.findall(r'(?m)^(\w+): *"?(.*?)"?$', cells[0][1]))
    lecture = {"path": f"lectures/{path.name}", "number": path.name.split("-")[0], **front}
    lecture |= {"run": notebook["metadata"].get("book", {}), "records": [], "terms": {}}
    lecture["picture"], section = None, ""
    for cell, text in cells:
        if cell["cell_type"] == "markdown":
            for anchor, term in re.findall(r"\{#(sec-[\w-]+)\}|glossary\.qmd#([\w-]+)\)", text):
                section = anchor or section
                if term:
                    lecture["terms"].setdefault(term, section)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if RECORD in data:
                lecture["records"].append(data[RECORD])
            label = (re.findall(r"(?m)^#\| label: *(\S+)", text) or [""])[0]
            if "image/png" in data and label == front.get("card", label) and label:
                alt = re.findall(r'(?m)^#\| fig-alt: *"?(.*?)"?$', text)
                if lecture["picture"] is None:
                    lecture["picture"] = ("".join(data["image/png"]), alt[0])
    return lecture


def bands(number, root):
    """Return {name: (low, high)} of tests/expected/NN.yml, whose layout the tests hold fixed."""
    path = root / "tests" / "expected" / f"{number}.yml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = re.findall(r"(?m)^(\w+):\n +low: *(\S+)\n +high: *(\S+)$", text)
    return {name: (float(low), float(high)) for name, low, high in found}


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
        lines += [f'![](cards/{file.name}){{fig-alt="{html.escape(alt)}"}}\\', ""]
    lines += [f"**[{lecture['number'].lstrip('0')} {lecture['title']}]({lecture['path']})**", ""]
    return "\n".join([*lines, lecture.get("description", ""), ":::", ""])


def status(lecture, root):
    """Return the Markdown of a lecture's part of the status page."""
    run, lines = lecture["run"], [f"## {lecture['number']} {lecture['title']}", ""]
    if not run:
        return "\n".join([*lines, "Not executed yet.", ""])
    versions = ", ".join(f"{name} {number}" for name, number in sorted(run["versions"].items()))
    lines += [
        f"Executed on {run['executed']} with seed {run['seed']} in {run['seconds']:.0f} s, at most "
        f"{run['peak_memory_mb']:,} MB of memory; {versions}.", "",
        "| recorded | value | band | |", "|:------------|:-----------|:--------|:------|",
    ]  # fmt: skip
    declared = bands(lecture["number"], root)
    for record in lecture["records"]:
        band = declared.get(record["name"])
        value = f"{record['value']:.4g} {record['unit']}".strip()
        said = f"{band[0]:g} to {band[1]:g} | {dot(record['value'], *band)}" if band else "none |"
        lines.append(f"| `{record['name']}` | {value} | {said} |")
    return "\n".join([*lines, ""])


def terms(lectures, root):
    """Return a Markdown table of glossary terms and the sections that use them first."""
    text = (root / "glossary.qmd").read_text(encoding="utf-8")
    lines = ["| term | first used in |", "|:--|:--|"]
    for name, anchor in re.findall(r"(?m)^## (.+?) \{#([\w-]+)\}$", text):
        places = [
            f"[{lecture['number'].lstrip('0')}]({lecture['path']}#{lecture['terms'][anchor]})"
            for lecture in lectures
            if anchor in lecture["terms"]
        ]
        lines.append(f"| [{name}](#{anchor}) | {', '.join(places) or '–'} |")
    return "\n".join(lines)


def write(root=ROOT):
    """Write _parts/cards.md, status.md and terms.md, and the pictures in cards/."""
    lectures = [read(path) for path in sorted((root / "lectures").glob("*.ipynb"))]
    parts = {
        "cards": ["::: {.cards}", *(card(lecture, root) for lecture in lectures), ":::"],
        "status": [status(lecture, root) for lecture in lectures],
        "terms": [terms(lectures, root)] if (root / "glossary.qmd").exists() else [],
    }
    folder = root / "_parts"
    folder.mkdir(exist_ok=True)
    for name, text in parts.items():
        part = folder / f"{name}.part"
        part.write_text("\n".join(text) + "\n", encoding="utf-8")
        os.replace(part, folder / f"{name}.md")


if __name__ == "__main__":
    write()
