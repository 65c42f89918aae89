"""Lecture 5: the stylizer's checkpoint was trained by the code that readers see."""

from conftest import parts

from book import ROOT, notebooks

SHARED = """
Gram Variation Level channel_means measures relative mean_output InstanceNorm Mirror
Palette convolve stylizer views scaled style_layers content_layer weights level_set
"""


def test_the_maker_of_the_stylizer_has_the_functions_of_the_lecture():
    path = ROOT / "lectures" / "05-neural-style-transfer.ipynb"
    cells = [code for _, _, code, _ in notebooks.code_cells(notebooks.read(path))]
    lecture = parts("\n".join(cells))
    maker = parts((ROOT / "data" / "make_stylizer.py").read_text(encoding="utf-8"))
    for name in SHARED.split():
        assert lecture[name] == maker[name], name
