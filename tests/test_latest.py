"""What the newest releases change: said, and red when a default or a value has moved."""

import json

from conftest import LECTURES, ROOT

from book import BookError, latest


def test_the_packages_of_all_lectures_are_asked_for_without_versions():
    names = latest.wanted()
    assert {"keras", "tensorflow", "numpy", "pandas", "scikit-learn"} <= set(names)
    assert not any("=" in name for name in names) and "pytest" not in names


def test_a_default_that_moved_is_named():
    stored = json.loads((ROOT / "tests" / "defaults.json").read_text())
    assert latest.changed_defaults(stored, "3.12") == []
    other = stored | {"SGD": {"momentum": 0.9, "nesterov": False}}
    (line,) = latest.changed_defaults(other, "9.9")
    assert line.startswith("Keras 9.9: SGD is {'momentum': 0.9")


def test_only_packages_that_moved_are_listed():
    lines = latest.moved({"a": "2", "b": "1", "new": "1"}, {"a": "1", "b": "1", "old": "1"})
    assert lines[2:] == ["| a | 1 | 2 |"]


def test_a_value_outside_its_band_or_a_stop_is_not_well(monkeypatch):
    def run(value):
        record = {"name": "mode_collapse_entropy", "value": value, "unit": ""}
        output = {"data": {"application/vnd.book.record+json": [record]}, "output_type": "x"}
        notebook = latest.notebooks.nbformat.from_dict(
            {"cells": [{"cell_type": "code", "source": "", "metadata": {}, "outputs": [output]}],
             "metadata": {"book": {"seconds": 3.2}}}
        )  # fmt: skip
        monkeypatch.setattr(latest.execute, "run", lambda *_, **__: notebook)
        return latest.run_lecture(LECTURES["08"], "python")

    assert run(0.5) == ("| 08 | 3 s | all in their bands |", True)
    assert run(99.0) == ("| 08 | 3 s | mode_collapse_entropy 99 |", False)

    def stop(*_, **__):
        raise BookError("cell 3 a | b")

    monkeypatch.setattr(latest.execute, "run", stop)
    assert latest.run_lecture(LECTURES["08"], "python") == (
        "| 08 | – | stops: cell 3 a / b |",
        False,
    )
