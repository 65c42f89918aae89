// What explorers are made of: controls, a drawing pad, pictures, a plane; and their coming and
// going. An explorer starts when it comes into view and leaves no memory behind when it goes.
(() => {
  const live = globalThis.bookLive, nonce = document.currentScript?.nonce ?? "";
  const STYLE = `
.live { max-width: 100%; margin: 0.6em 0; }
.reveal .live { font-size: 16px; line-height: 1.3; }
.reveal .live .stage { zoom: 1.27; }
.live .stage { display: flex; flex-wrap: wrap; gap: 0.7em 14px; align-items: flex-start; }
.live .piece { display: flex; flex-direction: column; gap: 0.35em; max-width: 100%; min-width: 0; }
.live .row { display: flex; flex-wrap: wrap; gap: 0.35em; align-items: center; }
.live canvas { display: block; max-width: 100%; border-radius: 0.25em; background: #10151d;
  outline: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
.live canvas.dots { image-rendering: pixelated; }
.live canvas.touch { touch-action: none; cursor: crosshair; }
.live :focus-visible { outline: 3px solid #E69F00; outline-offset: 2px; }
.live button { font: inherit; font-size: 0.9em; color: inherit; padding: 0.25em 0.7em; min-height: 2.1em;
  min-width: 2.1em; cursor: pointer; border-radius: 0.3em;
  border: 1px solid color-mix(in srgb, currentColor 35%, transparent);
  background: color-mix(in srgb, currentColor 7%, transparent); }
.live button[aria-pressed="true"] { background: #0072B2; color: #fff; }
.live label { display: grid; grid-template-columns: minmax(max-content, var(--names, 0)) minmax(3em, 1fr) 3.2em; gap: 0.5em;
  align-items: center; font-size: 0.92em; color: inherit; }
.live input[type="range"] { width: 100%; margin: 0; min-height: 1.6em; accent-color: #D55E00; }
.live input[type="text"] { font: inherit; color: inherit; background: transparent; width: 100%;
  box-sizing: border-box; padding: 0.3em 0.5em; border-radius: 0.3em;
  border: 1px solid color-mix(in srgb, currentColor 45%, transparent); }
.live output { font-variant-numeric: tabular-nums; }
.live .name { font-weight: 600; font-size: 0.92em; }
.live .row > label { flex: 1 1 14em; max-width: 26em; }
.live .said { font-size: 0.92em; min-height: 2.6em; margin: 0; max-width: 38em; }
@media (pointer: coarse) { .live button { min-height: 2.75em; min-width: 2.75em; }
  .live input[type="range"] { min-height: 2.75em; } }
`;

  const add = (parent, tag, given = {}) => {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(given)) {
      if (key === "text") made.textContent = value;
      else if (key in made && typeof value !== "string") made[key] = value;
      else made.setAttribute(key, value);
    }
    return parent.appendChild(made);
  };
  const clamp = (x, low, high) => Math.max(low, Math.min(high, x));
  live.add = add;
  live.clamp = clamp;
  live.calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  live.normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

  live.piece = (parent, name, width = "100%") => {
    const part = add(parent, "div", { class: "piece" });
    part.style.width = typeof width === "number" ? `${width}px` : width;
    if (name) add(part, "span", { class: "name", text: name });
    return part;
  };
  live.row = (parent) => add(parent, "div", { class: "row" });
  live.button = (parent, text, press, given = {}) => {
    const button = add(parent, "button", { type: "button", text, ...given });
    button.addEventListener("click", press);
    return button;
  };
  // A slider with its name and value; `say` makes the value into text
  live.range = (parent, name, { min, max, step, value }, change, say = (x) => String(x)) => {
    const label = add(parent, "label", { text: name });
    const input = add(label, "input", { type: "range", min: `${min}`, max: `${max}`, step: `${step}` });
    const output = add(label, "output", {});
    const show = () => {
      output.textContent = say(Number(input.value));
      input.setAttribute("aria-valuetext", output.textContent);
    };
    const range = {
      get value() { return Number(input.value); },
      set value(x) { input.value = x; show(); },
    };
    range.value = value;
    input.addEventListener("input", () => { show(); change(range.value); });
    return range;
  };
  // A sentence that screen readers are told too, at most one in 0.7 seconds: text, or a function
  // that makes it when it's due
  live.said = (parent) => {
    const line = add(parent, "p", { class: "said", role: "status", "aria-live": "polite" });
    let waiting = null, last = "";
    const tell = () => {
      waiting = null;
      if (line.isConnected) line.textContent = typeof last === "function" ? last() : last;
    };
    return (text) => {
      last = text;
      waiting ??= setTimeout(tell, line.textContent ? 700 : 0);
    };
  };
  const canvas = (parent, width, height, shown, label, kind) => {
    const made = add(parent, "canvas", { class: kind, role: "img", "aria-label": label });
    [made.width, made.height] = [width, height];
    made.style.width = `${shown}px`;
    made.style.aspectRatio = `${width} / ${height}`;
    return made;
  };
  // A grey picture of values from 0 to 1, h rows of w
  live.picture = (parent, w, h, scale, label) => {
    const view = canvas(parent, w, h, w * scale, label, "dots");
    const context = view.getContext("2d"), pixels = context.createImageData(w, h);
    return {
      view,
      show(values) {
        for (let i = 0; i < w * h; i++) {
          const grey = 255 * clamp(values[i], 0, 1);
          pixels.data.set([grey, grey, grey, 255], 4 * i);
        }
        context.putImageData(pixels, 0, 0);
      },
    };
  };
  // The mouse, a finger or a pen on a canvas: move(x, y, first) with shares of its width and height
  const follow = (view, move) => {
    const at = (event, first) => {
      const box = view.getBoundingClientRect();
      move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height, first);
    };
    view.addEventListener("pointerdown", (event) => {
      view.setPointerCapture(event.pointerId);
      at(event, true);
    });
    view.addEventListener("pointermove", (event) => { if (event.buttons) at(event, false); });
  };
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  // A square with coordinates from -range to range: point(x, y) is called where the reader points
  live.plane = (parent, { pixels, range, label, point }) => {
    const view = canvas(parent, 2 * pixels, 2 * pixels, pixels, label, "touch");
    const context = view.getContext("2d"), plane = { view, context, at: [0, 0] };
    view.tabIndex = 0;
    view.setAttribute("role", "application");
    plane.x = (x) => ((x / range + 1) / 2) * view.width;
    plane.y = (y) => ((1 - y / range) / 2) * view.height;
    plane.unit = view.width / (2 * range);
    const go = (x, y, first) => point(clamp(x, -range, range), clamp(y, -range, range), first);
    follow(view, (x, y, first) => go((2 * x - 1) * range, (1 - 2 * y) * range, first));
    view.addEventListener("keydown", (event) => {
      const way = ARROWS[event.key];
      if (!way) return;
      event.preventDefault();
      const step = (range / 50) * (event.shiftKey ? 5 : 1);
      go(plane.at[0] + way[0] * step, plane.at[1] - way[1] * step, true);
    });
    return plane;
  };

  // A pad to draw a digit on, which gives what MNIST would have made of it: ink in a box of 20
  // by 20 pixels, its centre of mass in the middle of 28 by 28. With `start` {strokes, picture}.
  live.pad = (parent, { shown = 224, change, start = {} }) => {
    const view = canvas(parent, 280, 280, shown, "", "touch");
    const context = view.getContext("2d"), small = document.createElement("canvas");
    small.width = small.height = 112;
    const ink = small.getContext("2d", { willReadFrequently: true });
    const pad = { strokes: start.strokes ?? [], picture: start.picture ?? null };
    let pen = [0.5, 0.3], down = false, asked = 0;
    view.tabIndex = 0;
    view.setAttribute("role", "application");
    view.setAttribute("aria-label", "Drawing pad. Arrow keys move the pen, the space bar lowers "
      + "and lifts it, Delete clears.");
    const lines = (target, width, map) => {
      target.lineWidth = width;
      target.lineCap = target.lineJoin = "round";
      target.strokeStyle = "#fff";
      for (const stroke of pad.strokes) {
        target.beginPath();
        stroke.forEach(([x, y], i) => target[i ? "lineTo" : "moveTo"](...map(x, y)));
        if (stroke.length === 1) target.lineTo(...map(...stroke[0]));
        target.stroke();
      }
    };
    const rendered = (scale, left, top) => {
      ink.fillStyle = "#000";
      ink.fillRect(0, 0, 112, 112);
      lines(ink, 9.6, (x, y) => [4 * (left + scale * x), 4 * (top + scale * y)]);
      const { data } = ink.getImageData(0, 0, 112, 112), values = new Float32Array(784);
      for (let i = 0; i < 112; i++) for (let j = 0; j < 112; j++) {
        values[(i >> 2) * 28 + (j >> 2)] += data[4 * (112 * i + j)] / (16 * 255);
      }
      return values;
    };
    const drawn = () => {
      if (pad.picture) return pad.picture;
      const points = pad.strokes.flat();
      if (!points.length) return new Float32Array(784);
      const [xs, ys] = [0, 1].map((k) => points.map((p) => p[k]));
      const ends = [xs, ys].map((v) => [Math.min(...v), Math.max(...v)]);
      const scale = 17.6 / Math.max(0.2, ...ends.map(([low, high]) => high - low));
      const [left, top] = ends.map(([low, high]) => 14 - (scale * (low + high)) / 2);
      const values = rendered(scale, left, top);
      let mass = 0, row = 0, column = 0;
      values.forEach((v, i) => { mass += v; row += v * Math.floor(i / 28); column += v * (i % 28); });
      return rendered(scale, left + 13.5 - column / mass, top + 13.5 - row / mass);
    };
    const paint = () => {
      context.fillStyle = "#000";
      context.fillRect(0, 0, 280, 280);
      if (pad.picture) {
        const pixels = context.createImageData(280, 280);
        for (let i = 0; i < 280; i++) for (let j = 0; j < 280; j++) {
          const grey = 255 * pad.picture[Math.floor(i / 10) * 28 + Math.floor(j / 10)];
          pixels.data.set([grey, grey, grey, 255], 4 * (280 * i + j));
        }
        context.putImageData(pixels, 0, 0);
      }
      lines(context, 24, (x, y) => [280 * x, 280 * y]);
      if (!pad.picture && !pad.strokes.length) {
        context.fillStyle = "#9aa5b3";
        context.font = "22px sans-serif";
        context.textAlign = "center";
        context.fillText("draw a digit here", 140, 146);
      }
      if (document.activeElement === view && view.matches(":focus-visible")) {
        context.strokeStyle = down ? "#D55E00" : "#56B4E9";
        context.lineWidth = 4;
        context.strokeRect(280 * pen[0] - 9, 280 * pen[1] - 9, 18, 18);
      }
    };
    const changed = () => {
      paint();
      if (!asked) asked = requestAnimationFrame(() => { asked = 0; change(drawn()); });
    };
    const stroke = (x, y, first) => {
      if (first) {
        pad.picture = null;
        pad.strokes.push([]);
      }
      pen = [clamp(x, 0.02, 0.98), clamp(y, 0.02, 0.98)];
      pad.strokes.at(-1)?.push(pen);
      changed();
    };
    follow(view, stroke);
    view.addEventListener("keydown", (event) => {
      const way = ARROWS[event.key];
      if (!way && ![" ", "Delete", "Backspace"].includes(event.key)) return;
      event.preventDefault();
      if (event.key === " ") {
        down = !down;
        if (down) stroke(...pen, true);
      } else if (!way) pad.clear();
      else if (down) stroke(pen[0] + way[0] / 20, pen[1] + way[1] / 20, false);
      else pen = pen.map((p, k) => clamp(p + way[k] / 20, 0.02, 0.98));
      paint();
    });
    for (const kind of ["focus", "blur"]) view.addEventListener(kind, () => { down = false; paint(); });
    pad.clear = () => { pad.strokes = []; pad.picture = null; changed(); };
    pad.show = (picture) => { pad.strokes = []; pad.picture = picture; changed(); };
    pad.drawn = drawn;
    pad.stop = () => cancelAnimationFrame(asked);
    paint();
    return pad;
  };
  // Buttons that put an example on the pad; `examples` are {name: Float32Array(784)}
  live.examples = (parent, examples, pad) => {
    const row = live.row(parent);
    for (const [name, picture] of Object.entries(examples)) {
      live.button(row, name, () => pad.show(picture), { "aria-label": `Example: ${name}` });
    }
  };
  // Bytes in base64 as numbers from 0 to 1
  live.bytes = (text) => Float32Array.from(atob(text), (c) => c.charCodeAt(0) / 255);

  const fetched = (given) => new Promise((done, failed) => {
    if (!given.src) { done(given); return; }
    const script = document.createElement("script");
    script.nonce = nonce;  // the page's policy lets in what its own scripts ask for
    script.src = given.src;
    document.head.append(script);
    script.addEventListener("error", () => failed(new Error(`${given.src} can't be loaded`)));
    script.addEventListener("load", () => {
      script.remove();
      const data = live.data[given.name];
      delete live.data[given.name];
      done(data);
    });
  });

  // Starts the explorer in `root` whenever it comes into view, and takes it away when it leaves
  live.start = (root) => {
    if (root.dataset.started) return;
    root.dataset.started = "waiting";
    add(root, "style", { text: STYLE });
    const fallback = root.querySelector(".fallback");
    const stage = add(root, "div", { class: "stage" });
    let running = null, state = {}, seen = false, coming = false;
    const slides = [];
    for (let at = root.closest("section"); at; at = at.parentElement.closest("section")) slides.push(at);
    const visible = () => seen && root.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    root.addEventListener("keydown", (event) => {  // else a key would move the slide
      if (!["Escape", "PageUp", "PageDown"].includes(event.key)) event.stopPropagation();
      else if (slides.length) event.target.blur();  // reveal.js turns no slide out of a field
    });
    const leave = () => {
      if (!running || root.contains(document.activeElement)) return;
      stage.style.minHeight = `${stage.offsetHeight}px`;
      state = running.state?.() ?? {};
      running.stop?.();
      running = null;
      stage.replaceChildren();
      root.dataset.started = "waiting";
    };
    const come = async () => {
      if (running || coming) return;
      coming = true;
      const begun = performance.now();
      try {
        const given = await fetched(JSON.parse(root.querySelector(".live-data").textContent));
        const models = Object.fromEntries(
          Object.entries(given.models).map(([name, stored]) => [name, live.model(stored)]));
        fallback.hidden = true;
        running = live.explorers[given.kind](stage, models, given.options, state);
        root.dataset.started = "running";
        root.dataset.milliseconds = Math.round(performance.now() - begun);
        stage.style.minHeight = "";
      } catch (error) {
        fallback.hidden = false;
        root.dataset.started = "failed";
        add(root, "p", { role: "alert", text: `The explorer doesn't start: ${error.message}` });
        throw error;
      } finally {
        coming = false;
      }
      if (!visible()) leave();
    };
    const look = () => (visible() ? come() : leave());
    new IntersectionObserver((entries) => {
      seen = entries.at(-1).isIntersecting;
      look();
    }).observe(root);
    // slides lie on top of each other: which one is shown is said by their classes
    const turned = new MutationObserver(look);
    for (const slide of slides) turned.observe(slide, { attributeFilter: ["class"] });
  };
  live.scan = () => document.querySelectorAll(".live").forEach(live.start);
})();
