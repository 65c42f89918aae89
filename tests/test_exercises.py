"""Code in the text of exercises and quizzes: it parses, and its calls fit what they call.

Nothing is run but imports: signatures of a lecture's own functions are read from its source.
"""

import ast
import builtins
import importlib
import inspect
import re

import nbformat
import pytest
from conftest import LECTURES

from book import notebooks

FENCED = re.compile(r"^```\s*\{?(?:python|py)\b[^\n]*\n(.*?)^```", re.M | re.S)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LIKE_CODE = re.compile(r"[\w.]+\(.*\)|[\w., \[\]]+ [-+*/|]?= .+|(?:import|from) .+", re.S)


def texts(notebook):
    """Yield (place, Markdown) of exercises, of their written solutions and of quizzes."""
    exercises = False
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            for heading in re.findall(r"(?m)^# (.+)", cell.source):
                exercises = heading.startswith("Exercises")
            if exercises:
                yield f"cell {i}", cell.source
        elif cell.cell_type == "code" and "helpers.quiz(" in cell.source:
            tree = ast.parse(notebooks.split_options(cell.source)[1])
            calls = (n for n in ast.walk(tree) if isinstance(n, ast.Call))
            for call in calls:
                if ast.unparse(call.func) == "helpers.quiz":
                    yield from ((f"quiz in cell {i}", text) for text in strings(call))


def strings(node):
    """Yield the texts in a tree; what an f-string computes becomes `…`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(n.value if isinstance(n, ast.Constant) else "…" for n in node.values)
    else:
        for child in ast.iter_child_nodes(node):
            yield from strings(child)


def snippets(text):
    """Yield the fenced Python of a text, and its inline code that is a call or an assignment."""
    yield from FENCED.findall(text)
    for span in INLINE.findall(FENCED.sub("", text)):
        if LIKE_CODE.fullmatch(span.strip()) or span.startswith("helpers."):
            yield span.strip()


def signature(node):
    """Return the signature of a function or class by its definition; None where it has none."""
    arguments = node
    if isinstance(node, ast.ClassDef):
        methods = [n for n in node.body if getattr(n, "name", "") == "__init__"]
        if not methods:
            return None
        arguments = methods[0]
    stub = ast.parse("def stub(): pass").body[0]
    stub.args = ast.parse(ast.unparse(arguments.args).join(("lambda ", ": 0"))).body[0].value.args
    stub.args.defaults = [ast.Constant(None) for _ in stub.args.defaults]
    stub.args.kw_defaults = [d and ast.Constant(None) for d in stub.args.kw_defaults]
    for argument in ast.walk(stub.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    space = {}
    exec(compile(ast.fix_missing_locations(ast.Module([stub], [])), "stub", "exec"), space)
    found = inspect.signature(space["stub"])
    if isinstance(node, ast.ClassDef):  # without self
        found = found.replace(parameters=list(found.parameters.values())[1:])
    return found


class Names:
    """What a lecture defines, imports and assigns, by its source."""

    def __init__(self, notebook):
        cells = notebooks.code_cells(notebook)
        tree = ast.parse("\n".join(code for _, _, code, _ in cells))
        self.defined, self.imported = {}, {}
        self.assigned = {
            n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.defined.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.Import):
                for name in node.names:
                    whole = name.asname and name.name
                    self.imported[name.asname or name.name.split(".")[0]] = (
                        whole or name.name.split(".")[0],
                        None,
                    )
            elif isinstance(node, ast.ImportFrom):
                for name in node.names:
                    self.imported[name.asname or name.name] = node.module, name.name

    def found(self, dotted):
        """Return the imported object that `dotted` names; raises AttributeError without one."""
        first, *rest = dotted.split(".")
        module, attribute = self.imported[first]
        value = importlib.import_module(module)
        for name in [attribute, *rest] if attribute else rest:
            value = getattr(value, name)
        return value

    def signatures(self, dotted):
        """Return the signatures that a call of `dotted` may have; raises NameError for no such."""
        first = dotted.split(".")[0]
        if dotted in self.defined:
            return [signature(node) for node in self.defined[dotted]]
        if first in self.imported:
            try:
                return [inspect.signature(self.found(dotted))]
            except (TypeError, ValueError):
                return [None]
            except AttributeError:
                raise NameError(f"{dotted} doesn't exist") from None
        if first in self.assigned or hasattr(builtins, first):
            return [None]  # an object of the lecture: its methods aren't known here
        raise NameError(f"{dotted} isn't defined or imported in the lecture")


def binds(call, found):
    """Whether `call` fits a signature; one with … or * among its arguments always does."""
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    left_open = any(isinstance(n, ast.Constant) and n.value is ... for n in values)
    starred = any(isinstance(n, ast.Starred) for n in call.args)
    if found is None or left_open or starred or any(k.arg is None for k in call.keywords):
        return True
    try:
        found.bind(*call.args, **{keyword.arg: keyword.value for keyword in call.keywords})
    except TypeError:
        return False
    return True


def faults_of(code, names):
    """Yield what is wrong with one piece of code; it may use what it assigns or defines itself."""
    try:
        tree = ast.parse(code.replace("…", "..."))
    except SyntaxError as error:
        yield f"isn't Python: {error.msg}"
        return
    nodes = list(ast.walk(tree))
    own = {n.name for n in nodes if isinstance(n, ast.FunctionDef)}
    own |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for node in nodes:
        try:
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called.split(".")[0] in own or not re.fullmatch(r"[\w.]+", called):
                    continue
                if not any(binds(node, found) for found in names.signatures(called)):
                    yield f"doesn't fit {called}'s arguments"
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "helpers":
                names.signatures(ast.unparse(node))
        except NameError as error:
            yield f"can't run: {error}"


def faults(notebook):
    """Yield what is wrong with the code in a lecture's exercises and quizzes."""
    names = Names(notebook)
    for place, text in texts(notebook):
        for code in snippets(text):
            for fault in dict.fromkeys(faults_of(code, names)):
                yield f"{place}: `{code}` {fault}"


@pytest.mark.parametrize("number", LECTURES)
def test_code_in_exercises_and_quizzes_fits_the_lecture(number):
    assert list(faults(notebooks.read(LECTURES[number]))) == []


def small(exercise, quiz="Q"):
    """Return a notebook with a function, a class, an exercise and a quiz."""
    new = nbformat.v4
    code = "import numpy as np\nimport helpers\n\ndef net(activation, sizes=(64,)):\n    return 1"
    code += "\n\nclass Box:\n    def __init__(self, width, *, high=0):\n        self.width = width"
    return new.new_notebook(
        cells=[
            new.new_code_cell(code),
            new.new_markdown_cell("# Part\n\n`net()` isn't in an exercise"),
            new.new_code_cell(f'helpers.quiz({quiz!r}, ("a", "b"), [("c", f"{{1}} d")])'),
            new.new_markdown_cell("# Exercises\n\n## Exercise 1\n\n" + exercise),
            new.new_markdown_cell("# Summary\n\n`net()` again"),
        ]
    )


@pytest.mark.parametrize(
    ("exercise", "said"),
    [
        ('Train `net("tanh")`, `Box(3, high=1)`, `helpers.seed()`, `np.log(2)`, `x = net(1)`.', ""),
        ("Call `net(…)` with what you like, the word `net`, the pair `(1, 2)`, `a=…`.", ""),
        ("Train `net()`.", "`net()` doesn't fit net's arguments"),
        ("Train `Box(1, 2)`.", "doesn't fit Box's arguments"),
        ("Train `digit_net(3)`.", "digit_net isn't defined or imported"),
        ("Use `helpers.sed()`.", "helpers.sed doesn't exist"),
        ("Use `helpers.sed`.", "helpers.sed doesn't exist"),
        ("Use `helpers.seed(1, 2)`.", "doesn't fit helpers.seed's arguments"),
        ("Set `net(=3)`.", "isn't Python"),
        ("Run\n\n```python\ny = net(\n```\n", "isn't Python"),
        ("Run\n\n```python\ny = net(sizes=3)\n```\n", "doesn't fit net's arguments"),
    ],
)
def test_a_broken_call_in_an_exercise_is_named(exercise, said):
    found = list(faults(small(exercise)))
    assert len(found) == bool(said) and said in "".join(found)


def test_a_broken_call_in_a_quiz_is_named():
    (found,) = faults(small("", quiz="What does `net()` return?"))
    assert found.startswith("quiz in cell 2: `net()` doesn't fit")
