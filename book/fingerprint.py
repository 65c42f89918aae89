"""What stored outputs depend on: the lecture's code, the helpers that it reaches, its data.

Comments, docstrings, captions and layout aren't part of it, nor are bands; of helpers.py and the
package beside it only what the lecture reaches: functions, constants, imports and settings.
"""

import ast
import hashlib
import json
import symtable
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager

from book import ROOT, BookError, notebooks

HELPERS, PACKAGE = "helpers", "support"


def sha(text):
    """Return the first 16 hexadecimal digits of the SHA-256 of text or bytes."""
    return hashlib.sha256(text if isinstance(text, bytes) else text.encode()).hexdigest()[:16]


def parse(code):
    """Return the syntax tree of a cell's code, in which IPython's own syntax is allowed.

    Magics, shell lines, `?` and `await` outside of functions count as what IPython makes of them.
    Raises BookError for what IPython couldn't run either.
    """
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        return compile(TransformerManager().transform_cell(code), "cell", "exec", flags)
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise BookError(f"line {error.lineno} isn't Python ({error.msg}): {line}") from error


def normal_form(code):
    """Return Python code without comments, docstrings and layout."""
    tree = parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def bound(node):
    """Return the names that a top-level statement binds for others to use."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.split(".")[0] for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else []
    names = [n for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
    return [name.id for name in names if isinstance(name.ctx, ast.Store)]


class Module:
    """A module of the book: {name: statement that binds it}, and statements that only act."""

    def __init__(self, path):
        body = ast.parse(normal_form(path.read_text(encoding="utf-8"))).body
        self.names = {name: node for node in body for name in bound(node)}
        self.settings = [n for n in body if not (bound(n) or isinstance(n, ast.Pass))]


def attributes(node, name):
    """Return the attributes that `node` reads of the module bound to `name`."""
    return {
        n.attr
        for n in ast.walk(node)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == name
    }


def globals_used(node):
    """Return the names of its module that a statement reads, wherever inside it."""
    found, tables = set(), [symtable.symtable(ast.unparse(node), "module", "exec")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            outer = symbol.is_global() or table.get_type() == "module"
            if symbol.is_referenced() and outer:
                found.add(symbol.get_name())
    return found


def reached(code, root=ROOT):
    """Return the source of what a lecture's `code` reaches of helpers and its package.

    In normal form: each definition, constant and import, by module and name, with the statements
    that a reached module runs when it's imported.
    """
    root, modules, parts = Path(root), {}, {}

    def module(name):
        if name not in modules:
            path = root / f"{name.replace('.', '/')}.py"
            modules[name] = Module(path)
            for i, node in enumerate(modules[name].settings):
                parts[name, f"setting {i:03d}"] = ast.unparse(node)
                follow(name, node)
        return modules[name]

    def follow(name, node):
        for used in sorted(globals_used(node)):
            reach(name, used, node)

    def reach(name, used, user=None):
        node = module(name).names.get(used)
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            for attribute in sorted(attributes(user, used)):
                reach(f"{PACKAGE}.{used}", attribute)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            alias = node.names[bound(node).index(used)]
            origin = f"from {node.module} " if isinstance(node, ast.ImportFrom) else ""
            parts[name, used] = f"{origin}import {alias.name} as {used}"
        elif node is not None and (name, used) not in parts:
            parts[name, used] = ast.unparse(node)
            follow(name, node)

    module(HELPERS)
    for attribute in sorted(attributes(parse(code), HELPERS)):
        reach(HELPERS, attribute)
    return "\n".join(f"# {name}.{used}\n{text}" for (name, used), text in sorted(parts.items()))


def content(path):
    """Return the hash of what a lecture can see of a data file.

    These are its bytes; of a checkpoint its weights and notes, but for the note that says which
    code trained it, so that this one can be renewed when names in that code have changed.
    """
    raw = Path(path).read_bytes()
    if Path(path).suffix != ".safetensors":
        return sha(raw)
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    notes = json.loads(header.pop("__metadata__", {}).get("notes", "{}"))
    notes.pop("made_from", None)
    return sha(json.dumps([header, notes], sort_keys=True).encode() + raw[8 + size :])


def fingerprint(path, data, root=ROOT):
    """Return the hashes of code, helpers and data that the outputs of a lecture depend on.

    `data` are the names of the data files that it read.
    """
    code = "\n".join(code for _, _, code, _ in notebooks.code_cells(notebooks.read(path)))
    files = {name: Path(root) / "data" / name for name in sorted(data)}
    return {
        "code": sha(normal_form(code)),
        "helpers": sha(reached(code, root)),
        "data": {n: content(f) if f.exists() else "missing" for n, f in files.items()},
    }


def stale(path, root=ROOT):
    """Return why the stored outputs of a lecture don't belong to its source, or None."""
    stored = notebooks.last_run(notebooks.read(path))
    if not stored:
        return "it was never executed by `book execute`"
    now = fingerprint(path, stored["made_from"]["data"], root)
    changed = [key for key, value in now.items() if stored["made_from"].get(key) != value]
    return f"its {', '.join(changed)} changed since" if changed else None
