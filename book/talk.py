"""What a lecture's deck may ask of its room: counted for lectures that say `form: talk`.

A deck is a talk. Slides of class appendix, or below a section of this class, move behind it; a
lecturer opens them if somebody asks.
"""

import re
from dataclasses import dataclass, field

from book import notebooks

CODE_LINES, CODE_ONLY = 10, 8  # lines on one slide; slides that have nothing but code
HEADING = re.compile(r"(#{1,2}) +(.+?) *(\{[^}]*\})?$")
NOTE = re.compile(r"^::: *\{(\.notes|\.content-visible unless-format=\"revealjs\")\}", re.M)


@dataclass
class Slide:
    """One slide: heading, level of it, where it stands, and what is on it."""

    heading: str
    level: int
    appendix: bool
    text: str = ""
    code: list = field(default_factory=list)  # lines of code, for each shown cell
    shows: bool = False  # a figure, a table, an explorer or a question
    prints: bool = False  # any other output but recorded values

    @property
    def noted(self):
        return bool(NOTE.search(self.text))

    @property
    def seen(self):
        """The text on the slide itself, without notes and other fenced parts."""
        return re.sub(r"(?ms)^::: *\{.*?^:::$", "", self.text).strip()

    @property
    def code_only(self):
        """Whether there's code and no picture, formula, list or table beside it."""
        beside = self.shows or re.search(r"(?m)^(\$\$|- |\d+\. |!\[|\|)", self.seen)
        return bool(self.code) and not beside

    @property
    def empty(self):
        """Whether a deck would show the heading alone."""
        return not (self.code or self.shows or self.prints or self.seen) and self.level == 2


def slides(notebook):
    """Return the slides of a lecture's deck in the notebook's order, without the title's."""
    found, section = [], False
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and not notebooks.is_solution(cell):
            for line in cell.source.split("\n"):
                if heading := HEADING.fullmatch(line):
                    level, aside = len(heading[1]), ".appendix" in (heading[3] or "")
                    section = aside if level == 1 else section
                    found.append(Slide(heading[2], level, section or aside))
                elif found:
                    found[-1].text += line + "\n"
        elif cell.cell_type == "code" and found and not notebooks.is_solution(cell):
            options, code = notebooks.split_options(cell.source)
            lines = [line for line in code.splitlines() if line.strip()]
            if options.get("echo", True) and options.get("code-fold") is not True and lines:
                found[-1].code.append(len(lines))
            label, data = str(options.get("label", "")), (o.get("data", {}) for o in cell.outputs)
            found[-1].shows |= label.startswith(("fig-", "tbl-"))
            found[-1].shows |= any("text/html" in each for each in data)
            found[-1].prints |= any(
                o.output_type == "stream" or notebooks.RECORD not in o.get("data", {})
                for o in cell.outputs
            )
    return found


def limit(minutes):
    """Return the most slides for a talk: 30 in 45 minutes, 45 in 75."""
    return int(30 + (minutes - 45) / 2)


def check(notebook, front):
    """Yield what a lecture of the form "talk" asks too much of its room."""
    if front.given.get("form") != "talk":
        return
    talk = [slide for slide in slides(notebook) if not slide.appendix]
    if (n := len(talk) + 1) > (most := limit(front.minutes or 60)):
        yield f"the talk has {n} slides, at most {most} fit {front.minutes:g} minutes"
    alone = [slide.heading for slide in talk if slide.code_only]
    if len(alone) > CODE_ONLY:
        yield f"{len(alone)} slides are code alone, at most {CODE_ONLY}: {', '.join(alone)}"
    for slide in talk:
        if (lines := sum(slide.code)) > CODE_LINES:
            yield f"slide {slide.heading!r} has {lines} lines of code, at most {CODE_LINES} fit"
        if slide.empty:
            yield f"slide {slide.heading!r} has nothing to show"
        if slide.level == 2 and not slide.noted:
            yield f"slide {slide.heading!r} has no speaker's note"
