"""The build of the book: execute, render, colab, check, sweep. Run as `python -m book`."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class BookError(Exception):
    """Something the user can mend; its text is one sentence on what is wrong and what to do."""
