"""notation.qmd: every Greek letter of a formula is in the table, for the lecture that uses it."""

import re

import pytest
from conftest import LECTURES, ROOT

from book import notebooks

GREEK = (
    "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|"
    "sigma|tau|phi|varphi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi|Psi|Omega"
)
LETTER = re.compile(rf"\\({GREEK})(?![A-Za-z])")
NUMBER = {"pi"}  # the number needs no line


def declared():
    """Return {letter: set of lectures, or None for all} of the table."""
    found = {}
    for line in (ROOT / "notation.qmd").read_text(encoding="utf-8").splitlines():
        if not line.startswith("| $"):
            continue
        symbols, meaning = line.split("|")[1:3]
        scopes = re.findall(r"in lectures? ([\db, ]+)", meaning)
        numbers = {n.zfill(2 + n.endswith("b")) for n in re.findall(r"\d+b?", ",".join(scopes))}
        everywhere = not meaning.strip().startswith("in lecture")
        for letter in LETTER.findall(symbols):
            before = found.get(letter, set())
            found[letter] = None if everywhere or before is None else before | numbers
    return found


def used(text):
    """Return the Greek letters in the formulas of Markdown `text`."""
    text = re.sub(r"`[^`\n]*`", "", text)
    formulas = re.findall(r"\$\$(.*?)\$\$|\$([^$\n]+)\$", text, re.S)
    return {letter for pair in formulas for letter in LETTER.findall("".join(pair))}


def undeclared(number, text):
    table = declared()
    letters = used(text) - NUMBER
    return {n for n in letters if n not in table or not (table[n] is None or number in table[n])}


@pytest.mark.parametrize("number", LECTURES)
def test_greek_letters_are_in_the_table(number):
    notebook = notebooks.read(LECTURES[number])
    text = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    assert not undeclared(number, text)


def test_a_letter_in_another_lecture_than_its_own_is_seen():
    assert undeclared("08", r"Take $\zeta = 1$.") == {"zeta"}
    assert undeclared("09", r"Take $\zeta = 1$ and $\xi$.") == {"xi"}
    assert not undeclared("05", r"$$\n\eta \nabla L\n$$ and `\xi`")
