"""Definitions taken out of a lecture: what makers train with is what readers see.

The one reader of a notebook's functions, classes and constants. `take` runs them with just the
imports and constants that they need, without running the lecture; `made_from` is what a checkpoint
remembers of them, so that it knows when the code that trained it has moved on.
"""

import ast
import builtins
import json
import types

from book import BookError, fingerprint, notebooks


def statements(path, tag=None):
    """Return the top-level statements of a lecture's code cells, solutions left out.

    With `tag`, of the cells that bear this tag.
    """
    notebook, found = notebooks.read(path), []
    for i, _, code, _ in notebooks.code_cells(notebook, solutions=False):
        if tag is None or tag in notebook.cells[i].metadata.get("tags", []):
            found += fingerprint.parse(code).body
    return found


def needed(path, names, given=()):
    """Return the statements that define `names` and what they use, in the lecture's order.

    A function or class must be defined once. A constant is the last one assigned above its use, or
    the first one below. Names in `given` are left out. Raises BookError for a name that the
    lecture lacks, defines twice, or computes by calling its own functions.
    """
    body, chosen = statements(path), {}
    functions = {n.name for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    todo = [(name, len(body), "asked for") for name in names]
    while todo:
        name, before, user = todo.pop()
        if name in given or name in dir(builtins):
            continue
        places = [i for i, node in enumerate(body) if name in fingerprint.bound(node)]
        places = [i for i in places if i < before] or places[:1]
        if not places:
            raise BookError(f"{path.name} doesn't define {name} ({user}); give it by hand")
        if name in functions and len({ast.unparse(body[i]) for i in places}) > 1:
            raise BookError(f"{path.name} defines {name} {len(places)} times: give each its name")
        at = places[-1]
        if at in chosen:
            continue
        node = chosen[at] = body[at]
        uses = fingerprint.globals_used(node)
        called = isinstance(node, ast.Assign) and functions & uses
        if called or (isinstance(node, ast.Assign) and "helpers" in uses):
            raise BookError(
                f"{path.name} computes {name} ({user}) by {sorted(called or ['helpers'])[0]}; "
                "a maker has to give it by hand"
            )
        todo += [(other, at, f"used by {name}") for other in sorted(uses)]
    return [chosen[at] for at in sorted(chosen)]


def source(path, names=(), given=(), tag=None):
    """Return the code of `needed`, or of the whole cells tagged `tag`, in normal form."""
    found = statements(path, tag) if tag else needed(path, sorted(names), given)
    return fingerprint.normal_form("\n\n".join(map(ast.unparse, found)))


def take(path, names=(), tag=None, **given):
    """Return a module with `names` of the lecture at `path`, and what they need.

    `given` are the module's values of names that the lecture would have to compute. With `tag` it
    has all that the cells with this tag define; these are run as they stand.
    """
    module = types.ModuleType(path.stem)
    vars(module).update(given)
    exec(compile(source(path, names, given, tag), str(path), "exec"), vars(module))
    return module


def made_from(path, names=(), settings=None, given=(), tag=None):
    """Return what a checkpoint remembers of its making, a dict for its notes.

    `settings` are the maker's own numbers, a dict of JSON values; the hash is that of the
    definitions and the settings.
    """
    code = source(path, names, given, tag) + json.dumps(settings, sort_keys=True)
    return {
        "lecture": path.name, "names": sorted(names), "given": sorted(given), "tag": tag,
        "settings": settings, "hash": fingerprint.sha(code),
    }  # fmt: skip


def moved_on(stored, root):
    """Say whether a lecture's code has changed since it trained a checkpoint.

    `stored` is what `made_from` returned then.
    """
    path = root / "lectures" / stored["lecture"]
    if not path.exists():
        return True
    parts = (stored[key] for key in ("names", "settings", "given", "tag"))
    return made_from(path, *parts) != stored
