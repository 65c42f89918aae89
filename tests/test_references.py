"""references.bib: each work can be found, none stands there twice."""

import re

import pytest
from conftest import ROOT

ENTRIES = re.split(r"\n(?=@)", (ROOT / "references.bib").read_text().strip())


def fields(entry):
    """Return (key, {field: value}) of an entry as it's written in the file."""
    found = re.findall(r"^  (\w+) = \{(.*)\},?$", entry, re.MULTILINE)
    return re.match(r"@\w+\{([^,]+),", entry)[1], {name.lower(): v for name, v in found}


@pytest.mark.parametrize("entry", ENTRIES, ids=[fields(e)[0] for e in ENTRIES])
def test_an_entry_can_be_looked_up(entry):
    _, found = fields(entry)
    doi = re.fullmatch(r"10\.\d{4,9}/\S+", found.get("doi", ""))
    arxiv = re.fullmatch(r"\d{4}\.\d{4,5}", found.get("eprint", ""))
    arxiv = arxiv and found.get("archiveprefix") == "arXiv"
    assert doi or arxiv or re.fullmatch(r"https?://\S+", found.get("url", ""))
    assert re.fullmatch(r"\d{4}", found["year"]) and found["author"] and found["title"]


def test_no_key_and_no_title_stands_twice():
    keys, found = zip(*map(fields, ENTRIES), strict=True)
    titles = [re.sub(r"\W", "", f["title"].lower()) for f in found]
    assert len(set(keys)) == len(keys) and len(set(titles)) == len(titles)
