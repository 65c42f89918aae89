"""HTML of what readers can move or answer: explorers of precomputed frames, quiz questions.

`helpers.explorer` and `helpers.quiz` display it. It is one block of HTML with its own style and
script and nothing from outside, so it works in Jupyter, on Colab, on the page and on a slide.
"""

import base64
import hashlib
import html
import io
import itertools
import json
import string

import numpy as np
from PIL import Image

EXPLORER = string.Template("""\
<div class="explorer" id="$id" data-prevent-swipe>
<style>
#$id { max-width: 100%; }
#$id .stage { display: flex; flex-wrap: wrap; gap: 1em; align-items: center; }
#$id canvas { width: ${width}px; max-width: 100%; border-radius: 0.2em; }
#$id .plane { position: relative; width: 400px; max-width: 100%; touch-action: none;
  cursor: crosshair; }
#$id .plane img { width: 100%; display: block; margin: 0; padding: 0; user-select: none; }
#$id .dot { position: absolute; width: 16px; height: 16px; margin: -8px; border-radius: 50%;
  background: #D55E00; border: 2px solid #fff; box-shadow: 0 0 2px #000; pointer-events: none; }
#$id pre { white-space: pre-wrap; min-height: 9em; font-size: 0.85em; }
#$id label { display: flex; gap: 0.7em; align-items: center; margin: 0.35em 0; }
#$id input { flex: 1; max-width: 24em; accent-color: #D55E00; }
#$id output { min-width: 4em; font-variant-numeric: tabular-nums; }
</style>
<div class="fallback">$fallback</div>
<script>
(() => {
  const root = document.getElementById("$id"), data = $data;
  const add = (parent, tag, properties) =>
    parent.appendChild(Object.assign(document.createElement(tag), properties));
  const stage = add(root, "div", { className: "stage" });
  const at = data.values.map((values) => Math.floor(values.length / 2));
  let plane, dot, view, sprite, inputs;
  const show = () => {
    const n = data.values.length === 2 ? at[0] * data.values[1].length + at[1] : at[0];
    inputs.forEach(([input, output], i) => {
      input.value = at[i];
      output.textContent = data.values[i][at[i]];
      input.setAttribute("aria-valuetext", data.names[i] + " " + data.values[i][at[i]]);
    });
    if (dot) {
      dot.style.left = 100 * (at[0] + 0.5) / data.values[0].length + "%";
      dot.style.top = 100 - 100 * (at[1] + 0.5) / data.values[1].length + "%";
    }
    if (data.texts) view.textContent = data.texts[n];
    else view.getContext("2d").drawImage(sprite, data.w * (n % data.columns),
      data.h * Math.floor(n / data.columns), data.w, data.h, 0, 0, data.w, data.h);
  };
  if (data.plane) {
    plane = add(stage, "div", { className: "plane" });
    add(plane, "img", { src: data.plane, alt: data.alt, draggable: false });
    dot = add(plane, "div", { className: "dot" });
    const point = (event) => {
      const box = plane.getBoundingClientRect();
      [(event.clientX - box.left) / box.width, (box.bottom - event.clientY) / box.height]
        .forEach((share, i) => {
          const most = data.values[i].length;
          at[i] = Math.max(0, Math.min(most - 1, Math.floor(share * most)));
        });
      show();
    };
    plane.addEventListener("pointerdown", (event) => {
      plane.setPointerCapture(event.pointerId); point(event);
    });
    plane.addEventListener("pointermove", (event) => {
      if (event.buttons || event.pointerType === "mouse") point(event);
    });
  }
  view = data.texts ? add(stage, "pre", {})
    : add(stage, "canvas", { width: data.w, height: data.h });
  if (!data.texts) { view.setAttribute("role", "img"); view.setAttribute("aria-label", data.alt); }
  else view.setAttribute("aria-live", "polite");
  inputs = data.names.map((name, i) => {
    const label = add(root, "label", { textContent: name });
    const input = add(label, "input", { type: "range", min: 0,
      max: data.values[i].length - 1, step: 1 });
    input.addEventListener("input", () => { at[i] = Number(input.value); show(); });
    input.addEventListener("keydown", (event) => event.stopPropagation());
    return [input, add(label, "output", {})];
  });
  const ready = () => { root.querySelector(".fallback").hidden = true; show(); };
  if (data.texts) ready();
  else {
    sprite = root.querySelector(".fallback img");
    if (sprite.complete) ready(); else sprite.addEventListener("load", ready);
  }
})();
</script>
</div>
""")


def explorer(frames, sliders, alt, plane, scale):
    """Return the HTML of an explorer; the arguments are those of `helpers.explorer`."""
    if len(sliders) not in (1, 2):
        raise ValueError(f"an explorer has one or two sliders, not {len(sliders)}")
    counts = tuple(len(values) for values in sliders.values())
    texts = isinstance(frames[0] if len(counts) == 1 else frames[0][0], str)
    if texts:
        found = (len(frames),) if len(counts) == 1 else (len(frames), len(frames[0]))
    else:
        frames = np.asarray(frames)
        found = frames.shape[: len(counts)]
    if found != counts:
        raise ValueError(f"frames for {found} places, but the sliders have {counts} values")
    values = [[v if isinstance(v, str) else f"{v:.3g}" for v in vs] for vs in sliders.values()]
    data = {"names": list(sliders), "values": values, "alt": alt, "width": 600}
    if texts:
        data["texts"] = list(frames if len(counts) == 1 else itertools.chain(*frames))
        items = "".join(f"<li><pre>{html.escape(text)}</pre></li>" for text in data["texts"])
        fallback = f"<ol>{items}</ol>"
    else:
        images = _bytes(frames).reshape(-1, *frames.shape[len(counts) :])
        n, h, w = images.shape[:3]
        columns = counts[1] if len(counts) == 2 else max(1, min(n, 600 // w))
        data |= {"w": w, "h": h, "columns": columns, "width": w * scale}
        picture = _address(_sprite(images, columns))  # nostretch: Quarto's decks leave it in place
        fallback = f'<img class="nostretch" src="{picture}" alt="{html.escape(alt)}">'
    if plane is not None:
        data["plane"] = _address(_bytes(np.asarray(plane)))
    code = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    name = "explorer-" + hashlib.sha256((code + fallback).encode()).hexdigest()[:10]
    return EXPLORER.substitute(id=name, data=code, fallback=fallback, width=data["width"])


def _bytes(images):
    """Return images as uint8; floats are in [0, 1]."""
    if images.dtype == np.uint8:
        return images
    return np.round(255 * np.clip(images, 0, 1)).astype("uint8")


def _sprite(images, columns):
    """Return n images (n, h, w[, 3]) as one picture with so many in a row."""
    rows = -(-len(images) // columns)
    n, h, w = images.shape[:3]
    full = np.zeros((rows * columns, *images.shape[1:]), "uint8")
    full[:n] = images
    grid = full.reshape(rows, columns, h, w, -1).swapaxes(1, 2)
    return grid.reshape(rows * h, columns * w, -1).squeeze()


def _address(picture):
    """Return a uint8 picture (h, w[, 3]) as a data address: grey as PNG, colours as WebP."""
    image, file = Image.fromarray(picture), io.BytesIO()
    kind = "webp" if image.mode == "RGB" else "png"
    image.save(file, kind, optimize=True, quality=85, method=6)
    return f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode()


def quiz(question, right, wrong):
    """Return the HTML of a multiple-choice question; the arguments are those of `helpers.quiz`.

    A choice is a disclosure element of HTML: it needs no script, opens by mouse, touch or Enter,
    and is a plain list where the browser doesn't know it.
    """
    if not wrong:
        raise ValueError(f"the question {question!r} has no wrong choice")
    texts = [choice for choice, _ in [right, *wrong]]
    if twice := {text for text in texts if texts.count(text) > 1}:
        raise ValueError(f"the question {question!r} has the choice {sorted(twice)[0]!r} twice")
    choices = [("right", "Right", *right), *(("wrong", "No", *choice) for choice in wrong)]
    choices.sort(key=lambda choice: hashlib.sha256(choice[2].encode()).hexdigest())
    name = "quiz-" + hashlib.sha256(question.encode()).hexdigest()[:10]
    items = "".join(
        f'<li><details class="{kind}" name="{name}" onkeydown="event.stopPropagation()">'
        f"<summary>{html.escape(text)}</summary>"
        f"<p><strong>{said}.</strong> {html.escape(feedback)}</p></details></li>"
        for kind, said, text, feedback in choices
    )
    return f'<div class="quiz"><p>{html.escape(question)}</p><ul>{items}</ul></div>'


def samples(images, alt, size):
    """Return the display data (HTML and PNG) of grey images (n, h, w), each `size` pixels wide.

    Floats are in [0, 1]. Raises ValueError for another shape.
    """
    if images.ndim != 3 or not len(images):
        raise ValueError(f"samples have shape (n, h, w) with at least one, not {images.shape}")
    images = _bytes(images)
    pictures = "".join(f'<img src="{_address(image)}" alt="">' for image in images)
    style = f"display: flex; flex-wrap: wrap; gap: 3px; --sample: {size}px"
    sheet = _address(_sprite(images, min(len(images), 14)))
    return {
        "text/html": f'<div class="samples" role="img" aria-label="{html.escape(alt)}" '
        f'style="{style}">{pictures}</div>',
        "image/png": sheet.split(",")[1],
        "text/plain": f"{len(images)} images",
    }
