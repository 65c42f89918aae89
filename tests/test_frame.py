"""book/frame.py: cards, status and places of terms, made from the notebooks."""

import json
import re
import shutil

import pytest
from conftest import LECTURES, ROOT

from book import frame, notebooks


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """The written parts of a copy of the book: {name: text}, and its folder."""
    root = tmp_path_factory.mktemp("frame")
    for folder in ("lectures", "tests/expected"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns(".*"))
    shutil.copytree(ROOT / "support", root / "support")
    for name in ("helpers.py", "glossary.qmd", "_quarto.yml", *notebooks.pages()):
        shutil.copy(ROOT / name, root / name)
    frame.write(root)
    return {path.stem: path.read_text("utf-8") for path in (root / "_parts").glob("*.md")}, root


@pytest.mark.parametrize("number", LECTURES)
def test_bands_are_said_for_every_record(number, parts):
    said = json.loads((parts[1] / "_parts" / "measured.json").read_text("utf-8"))
    said = said[LECTURES[number].stem]
    declared = notebooks.bands(LECTURES[number])
    assert set(said) == set(declared)
    for name, row in said.items():
        low, high = row["band"].split(" to ")
        assert float(low) == pytest.approx(declared[name]["low"], rel=1e-4)
        assert float(high) == pytest.approx(declared[name]["high"], rel=1e-4)


@pytest.mark.parametrize("number", LECTURES)
def test_status_has_every_record_of_a_lecture(number, parts):
    status = parts[0]["status"].split(f"## {number} ")[1].split("\n## ")[0]
    stored = notebooks.read(LECTURES[number])
    shown = re.findall(r"(?m)^\| `(\w+)` \| (\S+)", status)
    assert dict(shown) == {n: f"{r['value']:.4g}" for n, r in notebooks.records(stored).items()}
    assert f"in {stored.metadata['book']['seconds']:.0f} s" in status


def test_backends_have_the_runs_of_the_table_and_the_stored_one(tmp_path, monkeypatch):
    values = {"a": 0.5, "b": 3.0}
    runs = [
        {"backend": "jax", "seed": seed, "seconds": 10.0 * seed, "values": values}
        for seed in (1, 2, 3)
    ]
    monkeypatch.setattr(frame.sweep, "runs", lambda path, root: runs)
    lecture = {
        "path": "lectures/09-s.ipynb", "number": "09", "run": {"seconds": 7.4},
        "records": {"a": {"value": 0.5}},
        "bands": {name: {"low": 0, "high": 1} for name in "ab"},
    }  # fmt: skip
    table = frame.backends([lecture], tmp_path).splitlines()
    assert table[0] == "| lecture | tensorflow | jax | torch |"
    assert table[2] == "| 9 | 1 of 1 values, 1 run, 7 s | 3 of 6 values, 3 runs, 20 s | – |"


@pytest.mark.parametrize("number", LECTURES)
def test_card_has_the_picture_that_the_lecture_names(number, parts):
    cards, root = parts
    assert f"(lectures/{LECTURES[number].name})" in cards["cards"]
    notebook = notebooks.read(LECTURES[number])
    wanted = notebooks.front_matter(notebook, LECTURES[number]).card
    text = json.loads(LECTURES[number].read_text("utf-8"))["cells"]
    (cell,) = [c for c in text if f"#| label: {wanted}\n" in "".join(c["source"])]
    assert f"cards/{number}.png" in cards["cards"]
    png = next(o["data"]["image/png"] for o in cell["outputs"] if "data" in o)
    assert (root / "cards" / f"{number}.png").read_bytes() == frame.base64.b64decode(png)


def test_dot_stands_where_the_value_lies_in_its_band():
    def place(value):
        return float(re.search(r'cx="([\d.]+)"', frame.dot(value, 2.0, 4.0))[1])

    assert place(2.0) == 16
    assert place(3.0) == 56
    assert place(4.0) == 96
    assert 96 < place(4.2) < place(99.0) < 112, "outside the band, still in the picture"


def test_terms_lead_to_the_section_that_uses_them_first(parts):
    table = dict(re.findall(r"(?m)^\| \[[^]]+\]\(#([\w-]+)\) \| (.*) \|$", parts[0]["terms"]))
    assert "[6](lectures/06-autoencoders.ipynb#sec-sparse)" in table["sparse-code"]
    assert "[6](lectures/06-autoencoders.ipynb#sec-door)" in table["encoder"]
    glossary = (ROOT / "glossary.qmd").read_text("utf-8")
    assert set(table) == set(re.findall(r"(?m)^## .+ \{#([\w-]+)\}$", glossary))
