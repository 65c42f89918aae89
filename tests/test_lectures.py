"""Every lecture is executed for real and compared with what is stored and declared."""

import base64
import io

import nbformat
import numpy as np
import pytest
from conftest import LECTURES, normalised
from PIL import Image
from pytest_notebook.diffing import diff_notebooks, diff_to_string
from skimage.metrics import structural_similarity

from book import BookError, notebooks

BANDS = {number: notebooks.bands(path) for number, path in LECTURES.items()}
VALUES = [(number, name) for number, bands in BANDS.items() for name in bands]


def figures(notebook):
    """Return {label: image array (height, width)} of a lecture's figures, in grey from 0 to 1."""
    found = {}
    for _, options, _, outputs in notebooks.code_cells(notebook):
        kinds = [o.get("data", {}) for o in outputs]
        pictures = [d[kind] for d in kinds for kind in ("image/png", "image/gif") if kind in d]
        for i, picture in enumerate(pictures):
            image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("L")
            found[f"{options.get('label')}-{i}"] = np.asarray(image) / 255
    return found


FIGURES = [
    (number, label) for number, path in LECTURES.items() for label in figures(notebooks.read(path))
]


def constant_figures(notebook):
    """Labels of figures whose cell says (tag `constant`) that they're the same in every run."""
    return {
        f"{notebooks.split_options(cell.source)[0]['label']}-0"
        for cell in notebook.cells
        if "constant" in cell.metadata.get("tags", [])
    }


@pytest.mark.parametrize("number", LECTURES)
def test_lecture_runs(number, executed):
    result = executed(number)
    assert not isinstance(result, BookError), str(result)


@pytest.mark.parametrize(("number", "name"), VALUES, ids=lambda v: v)
def test_recorded_value_lies_in_its_band(number, name, fresh):
    recorded, band = notebooks.records(fresh(number)), BANDS[number][name]
    assert name in recorded, f"lecture {number} doesn't record {name} any more"
    value = recorded[name]["value"]
    assert band["low"] <= value <= band["high"], (
        f"lecture {number}: {name} is {value:.5g} {recorded[name]['unit']}, outside its band "
        f"{band['low']} to {band['high']} ({band['why']})"
    )


@pytest.mark.parametrize(("number", "label"), FIGURES, ids=lambda v: v)
def test_figure_is_drawn_again(number, label, fresh):
    notebook = notebooks.read(LECTURES[number])
    stored, new = figures(notebook)[label], figures(fresh(number)).get(label)
    assert new is not None, f"lecture {number}: figure {label} isn't drawn any more"
    assert new.std() > 0.02, f"lecture {number}: figure {label} is blank"
    assert np.allclose(new.shape, stored.shape, atol=3), (
        f"lecture {number}: figure {label} has size {new.shape}, stored {stored.shape}"
    )
    if label in constant_figures(notebook):
        height, width = np.minimum(new.shape, stored.shape)
        similar = structural_similarity(
            new[:height, :width], stored[:height, :width], data_range=1.0
        )
        assert similar > 0.95, f"lecture {number}: figure {label} has changed (SSIM {similar:.2f})"


@pytest.mark.parametrize("number", LECTURES)
def test_text_outputs_are_the_stored_ones(number, fresh):
    def texts(notebook):
        """The notebook with text outputs alone, measured digits and times taken out."""
        copy = nbformat.from_dict(notebook)
        copy.metadata.clear()
        for cell in copy.cells:
            cell.metadata.clear()
            if cell.cell_type == "code":
                cell.execution_count = None
                kept = [o for o in cell.outputs if o.output_type == "stream"]
                for output in kept:
                    output.text = normalised(output.text)
                cell.outputs = kept
        return copy

    stored, new = texts(notebooks.read(LECTURES[number])), texts(fresh(number))
    changes = diff_notebooks(stored, new)
    assert not changes, (
        f"lecture {number}: text outputs differ from the stored ones\n"
        + diff_to_string(stored, changes)
    )
