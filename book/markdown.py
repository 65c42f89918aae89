"""Markdown: text in it, and Pandoc, which reads it. Used by render.py, colab.py and frame.py."""

import html
import os
import re
import subprocess
from pathlib import Path

import pypandoc

from book import BookError

FROM = "markdown-yaml_metadata_block"  # front matter is read by notebooks.py, no other YAML is


def quoted(text):
    """Return text as the value of a Markdown attribute, in which nothing is read as a mark."""
    flat = html.escape(" ".join(str(text).split())).replace("\\", "&#92;")
    return f'"{flat}"'


def plain(text):
    """Return text as Markdown that shows it as it is, on one line, without marks or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#@$&|~^=:+-])", r"\\\1", " ".join(str(text).split()))


def included(text, path, root):
    """Return Markdown with the files that it includes put in; they belong to the project."""

    def include(match):
        file = (path.parent / match[1]).resolve()
        if not (file.is_relative_to(Path(root).resolve()) and file.is_file()):
            raise BookError(f"{path.name} includes {match[1]}, which isn't a file of the project")
        return file.read_text(encoding="utf-8")

    return re.sub(r"^{{< include (\S+) >}}$", include, text, flags=re.M)


def pandoc(text, options, cwd=None):
    """Return what Pandoc makes of Markdown; raises BookError with what it or a filter says."""
    command = [pypandoc.get_pandoc_path(), f"--from={FROM}", "--fail-if-warnings", *options]
    command = [part.encode("utf-8", "surrogateescape") for part in command]  # in any locale
    utf8 = {"text": True, "encoding": "utf-8", "env": {**os.environ, "LC_ALL": "C.UTF-8"}}
    done = subprocess.run(command, input=text, capture_output=True, cwd=cwd, **utf8)
    if not done.returncode:
        return done.stdout
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith("[book]")]
    said = ours[0].removeprefix("[book] ") if ours else " ".join(" ".join(lines).split())
    raise BookError(said[:300] or "Pandoc gave no message")
