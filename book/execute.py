"""Execute lectures in fresh kernels and store their outputs, whole or not at all."""

import ast
import base64
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from PIL import Image

from book import ROOT, BookError, notebooks

THREADS = 2
CELL_SECONDS = 1200


def sha(text):
    return hashlib.sha256(text if isinstance(text, bytes) else text.encode()).hexdigest()[:16]


def normal_form(code):
    """Return code without comments, docstrings and layout, so that these don't make it stale."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return code
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def used_helpers(code, helpers):
    """Return the source of what `code` uses of the module `helpers`, directly or through others.

    A function that a lecture doesn't use may change without making the lecture stale.
    Statements that aren't definitions (constants, settings) always count.
    """
    tree = ast.parse(normal_form(helpers))
    defined = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    rest = [ast.unparse(n) for n in tree.body if not hasattr(n, "name")]

    def names(node):
        for n in ast.walk(node):
            yield n.id if isinstance(n, ast.Name) else getattr(n, "attr", None)

    # a lecture's own variable may have a helper's name: there only `helpers.name` counts
    used = [
        n.attr
        for n in ast.walk(ast.parse(code))
        if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "helpers"
    ]
    wanted, seen = [n for n in used if n in defined], set()
    while wanted:
        name = wanted.pop()
        if name not in seen:
            seen.add(name)
            wanted += [n for n in names(defined[name]) if n in defined]
    return "\n".join(rest + [ast.unparse(defined[name]) for name in sorted(seen)])


def fingerprint(path, data, root=ROOT):
    """Return the hashes that stored outputs depend on: code, helpers, bands, data read."""
    code = "\n".join(code for _, _, code, _ in notebooks.code_cells(notebooks.read(path)))
    helpers = (root / "helpers.py").read_text(encoding="utf-8")
    bands = [(n, b["low"], b["high"]) for n, b in notebooks.bands(path, root).items()]
    files = {name: root / "data" / name for name in sorted(data)}
    return {
        "code": sha(normal_form(code)),
        "helpers": sha(used_helpers(code, helpers)),
        "bands": sha(repr(sorted(bands))),
        "data": {n: sha(f.read_bytes()) if f.exists() else "missing" for n, f in files.items()},
    }


def stale(path, root=ROOT):
    """Return why the stored outputs of a lecture don't belong to its source, or None."""
    stored = notebooks.read(path).metadata.get("book")
    if not stored:
        return "it was never executed by `book execute`"
    now = fingerprint(path, stored["made_from"]["data"], root)
    changed = [key for key, value in now.items() if stored["made_from"][key] != value]
    return f"its {', '.join(changed)} changed since" if changed else None


class PeakMemory(threading.Thread):
    """Watches the memory of a process, kernel and children, twice a second."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.process, self.peak, self.done = psutil.Process(pid), 0, threading.Event()
        self.start()

    def run(self):
        while True:
            try:
                self.peak = max(self.peak, self.process.memory_info().rss)
            except psutil.NoSuchProcess:
                return
            if self.done.wait(0.5):
                return


def environment(scratch, seed, root=ROOT):
    """Return the environment variables of a lecture's kernel."""
    threads = {
        name: str(THREADS)
        for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS")
    }
    return {
        **os.environ,
        **threads,
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(root),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "BOOK_SEED": str(seed),
        "BOOK_DATA_LOG": str(Path(scratch) / "data-read"),
    }


def quantised(png):
    """Return a PNG (base64) with at most 256 colours and no metadata; smaller, same look."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    small = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def tidy(notebook):
    """Make outputs compact and alike from run to run: last state of progress lines, small PNGs."""
    for _, _, _, outputs in notebooks.code_cells(notebook):
        kept = []
        for output in outputs:
            if output.output_type != "stream":
                kept.append(output)
            elif output.name == "stdout" and kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
            elif output.name == "stdout":
                kept.append(output)
        outputs[:] = kept
        for output in outputs:
            if output.output_type == "stream":
                lines = output.text.split("\n")
                output.text = "\n".join(line.rsplit("\r", 1)[-1] for line in lines)
            elif "image/png" in output.get("data", {}):
                output.data["image/png"] = quantised(output.data["image/png"])
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def run(path, *, seed=1, env=None, cwd=None, quiet=False, root=ROOT):
    """Execute the notebook at `path` in a fresh kernel; return it with outputs and metadata.

    Nothing is written. `env` replaces the kernel's environment and `cwd` its scratch folder (for
    Colab notebooks). Raises BookError naming the cell when it raises or its kernel dies.
    """
    path = Path(path)
    notebook = notebooks.read(path)
    total = sum(cell.cell_type == "code" for cell in notebook.cells)
    start, n, where = time.perf_counter(), 0, "start"

    with tempfile.TemporaryDirectory(prefix="lecture-") as scratch:
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=CELL_SECONDS,
            resources={"metadata": {"path": str(cwd or scratch)}},
        )
        memory = None
        try:
            quiet_start = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            with client.setup_kernel(env=env or environment(scratch, seed, root), **quiet_start):
                memory = PeakMemory(client.km.provisioner.pid)
                for i, cell in enumerate(notebook.cells):
                    if cell.cell_type != "code":
                        continue
                    n, where = n + 1, notebooks.heading_before(notebook, i)
                    if not quiet:
                        seconds = time.perf_counter() - start
                        print(f"  {path.stem} {n}/{total} {seconds:5.0f} s  {where}", flush=True)
                    client.execute_cell(cell, i)
        except CellExecutionError as error:
            raise BookError(
                f"{path.name}: code cell {n} (under “{where}”) raised {error.ename}: "
                f"{error.evalue}. Stored outputs are unchanged."
            ) from error
        except DeadKernelError as error:
            raise BookError(
                f"{path.name}: the kernel died in code cell {n} (killed, or out of memory). "
                "Stored outputs are unchanged; close other programs and run again."
            ) from error
        except TimeoutError as error:
            raise BookError(
                f"{path.name}: code cell {n} ran over {CELL_SECONDS} s. "
                "Stored outputs are unchanged."
            ) from error
        finally:
            if memory:
                memory.done.set()
        log = Path(scratch) / "data-read"
        data = sorted(set(log.read_text().split())) if log.exists() else []
    tidy(notebook)
    notebook.metadata["book"] = {
        "made_from": fingerprint(path, data, root) if env is None else {},
        "seed": seed,
        "seconds": round(time.perf_counter() - start, 1),
        "peak_memory_mb": round(memory.peak / 1e6),
        "executed": time.strftime("%Y-%m-%d"),
        "versions": {name: version(name) for name in ("keras", "tensorflow", "numpy")}
        | {"python": sys.version.split()[0]},
    }
    return notebook


def write(notebook, path):
    """Replace the notebook at `path` in one step."""
    notebook.metadata.pop("jupytext", None)
    notebook.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3", "language": "python"
    }  # fmt: skip
    part = Path(path).with_suffix(".part")
    nbformat.write(notebook, part)
    os.replace(part, path)


def execute(paths, *, force=False, seed=1, root=ROOT):
    """Execute the stale lectures among `paths` (all with `force`); return {name: seconds}."""
    done = {}
    for path in paths:
        why = "asked for" if force else stale(path, root)
        if not why:
            continue
        print(f"execute: {path.name} ({why})", flush=True)
        notebook = run(path, seed=seed, root=root)
        write(notebook, path)
        done[path.stem] = notebook.metadata["book"]["seconds"]
    return done
