// A GAN in the plane, trained in front of the reader: heaps of data, what the discriminator says
// everywhere, where it pushes the made points, and a balance of rates that can be spoilt and mended.
(() => {
  const live = globalThis.bookLive;
  const RANGE = 1.8, WIDTH = 32, BATCH = 128, SHOWN = 400, ARROWS = 48, GRID = 30, SPREAD = 0.06;
  const BALANCED = { generator: 0.001, discriminator: 0.003, turns: 1 };
  const SPOILT = { generator: 0.004, discriminator: 0.0002, turns: 4 };
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));

  // Dense layers with leaky ReLU between them and Adam (β₁ = 0.5), as in the lecture. Rows of x
  // are examples. `forward` keeps what `backward` needs; `learn` takes one step downhill.
  live.perceptron = (sizes) => {
    const layers = sizes.slice(1).map((units, l) => {
      const d = sizes[l], limit = Math.sqrt(6 / (d + units));
      const array = (n) => ({ value: new Float32Array(n), slope: new Float32Array(n),
        mean: new Float32Array(n), square: new Float32Array(n) });
      const kernel = array(d * units), bias = array(units);
      kernel.value.forEach((_, i) => { kernel.value[i] = limit * (2 * Math.random() - 1); });
      return { d, units, kernel, bias, x: null, h: null };
    });
    let steps = 0;
    const forward = (x, n) => {
      let h = x;
      layers.forEach((layer, l) => {
        const { d, units, kernel: { value: w }, bias: { value: b } } = layer;
        layer.x = h;
        const out = new Float32Array(n * units);
        for (let i = 0; i < n; i++) {
          const row = i * units;
          for (let k = 0; k < units; k++) out[row + k] = b[k];
          for (let j = 0; j < d; j++) {
            const v = h[i * d + j];
            for (let k = 0, at = j * units; k < units; k++, at++) out[row + k] += v * w[at];
          }
        }
        if (l < layers.length - 1) {
          for (let i = 0; i < out.length; i++) if (out[i] < 0) out[i] *= 0.2;
        }
        layer.h = h = out;
      });
      return h;
    };
    // Slopes of a loss with respect to the outputs -> with respect to the inputs; those of the
    // weights are kept for `learn`
    const backward = (slope, n) => {
      let g = slope;
      for (let l = layers.length - 1; l >= 0; l--) {
        const { d, units, kernel, bias, x, h } = layers[l], back = new Float32Array(n * d);
        if (l < layers.length - 1) {
          for (let i = 0; i < g.length; i++) if (h[i] < 0) g[i] *= 0.2;
        }
        kernel.slope.fill(0);
        bias.slope.fill(0);
        for (let i = 0; i < n; i++) {
          for (let k = 0; k < units; k++) bias.slope[k] += g[i * units + k];
          for (let j = 0; j < d; j++) {
            const v = x[i * d + j];
            let sum = 0;
            for (let k = 0, at = j * units; k < units; k++, at++) {
              const s = g[i * units + k];
              kernel.slope[at] += v * s;
              sum += s * kernel.value[at];
            }
            back[i * d + j] = sum;
          }
        }
        g = back;
      }
      return g;
    };
    const learn = (rate) => {
      steps++;
      const step = (rate * Math.sqrt(1 - 0.999 ** steps)) / (1 - 0.5 ** steps);
      for (const layer of layers) for (const part of [layer.kernel, layer.bias]) {
        const { value, slope, mean, square } = part;
        for (let i = 0; i < value.length; i++) {
          mean[i] += 0.5 * (slope[i] - mean[i]);
          square[i] += 0.001 * (slope[i] ** 2 - square[i]);
          value[i] -= (step * mean[i]) / (Math.sqrt(square[i]) + 1e-7);
        }
      }
    };
    return { layers, forward, backward, learn };
  };
  // Slope of the mean binary cross-entropy with respect to the logits
  const logitSlope = (logits, targets) => logits.map((a, i) => (sigmoid(a) - targets[i]) / logits.length);
  const codes = (n) => new Float32Array(2 * n).map(live.normal);
  const draws = (heaps, n) => {
    const x = new Float32Array(2 * n);
    for (let i = 0; i < n; i++) {
      const heap = heaps[Math.floor(Math.random() * heaps.length)];
      for (let k = 0; k < 2; k++) x[2 * i + k] = heap[k] + SPREAD * live.normal();
    }
    return x;
  };
  const circle = (n) => Array.from({ length: n }, (_, i) =>
    [Math.cos((2 * Math.PI * i) / n), Math.sin((2 * Math.PI * i) / n)]);

  // One round as in the lecture: targets 0.9 and 0 for the discriminator, 1 for the generator
  live.pair = () => {
    const generator = live.perceptron([2, WIDTH, WIDTH, 2]);
    const discriminator = live.perceptron([2, WIDTH, WIDTH, 1]);
    const targets = Float32Array.from({ length: 2 * BATCH }, (_, i) => (i < BATCH ? 0.9 : 0));
    const round = (heaps, rates) => {
      const both = new Float32Array(4 * BATCH);
      both.set(draws(heaps, BATCH));
      both.set(generator.forward(codes(BATCH), BATCH), 2 * BATCH);
      const logits = discriminator.forward(both, 2 * BATCH);
      discriminator.backward(logitSlope(logits, targets), 2 * BATCH);
      discriminator.learn(rates.discriminator);
      for (let turn = 0; turn < rates.turns; turn++) {
        const made = generator.forward(codes(BATCH), BATCH);
        const found = discriminator.forward(made, BATCH);
        const slope = logitSlope(found, new Float32Array(BATCH).fill(1));
        generator.backward(discriminator.backward(slope, BATCH), BATCH);
        generator.learn(rates.generator);
      }
      return [0, 1].map((part) => {  // D's mean answers for real and for made points
        const mine = logits.subarray(part * BATCH, (part + 1) * BATCH);
        return mine.reduce((sum, a) => sum + sigmoid(a), 0) / BATCH;
      });
    };
    return { generator, discriminator, round };
  };

  live.explorers.duel = (stage, models, options, state) => {
    let pair = state.pair ?? live.pair(), heaps = state.heaps ?? circle(8), rounds = state.rounds ?? 0;
    let history = state.history ?? [], running = 0;
    const fixed = codes(SHOWN);
    let data = draws(heaps, SHOWN);

    const left = live.piece(stage, "Press in the plane to add a heap", 380);
    const plane = live.plane(left, { pixels: 380, range: RANGE,
      label: "Plane with heaps of data, made points and the discriminator's answers",
      point: (x, y, first) => { if (first) { plane.at = [x, y]; add([x, y]); } } });
    const add = (heap) => {
      if (heaps.length >= 12) { say("Twelve heaps are the most."); return; }
      set([...heaps, heap]);
    };
    const set = (to) => {
      heaps = to;
      data = draws(heaps, SHOWN);
      draw();
      tell();
    };
    const right = live.piece(stage, "Training", 284);
    const buttons = live.row(right);
    const start = live.button(buttons, "Start", () => (running ? pause() : run()));
    start.hidden = live.calm();  // the next button does the same without moving pictures
    live.button(buttons, "50 rounds", () => { pause(); several(50); draw(); tell(); });
    const afresh = () => {
      pair = live.pair();
      [rounds, history] = [0, []];
      draw();
    };
    live.button(buttons, "Start afresh", () => { afresh(); tell(); });
    const power = (name, key) => live.range(right, name, { min: -4, max: -2, step: 0.01,
      value: Math.log10(state.rates?.[key] ?? BALANCED[key]) }, () => tell(),
      (x) => (10 ** x).toFixed(4));
    const sliders = { generator: power("rate of generator", "generator"),
      discriminator: power("of discriminator", "discriminator") };
    const turns = live.range(right, "generator's turns", { min: 1, max: 5, step: 1,
      value: state.rates?.turns ?? 1 }, () => tell());
    const rates = () => ({ generator: 10 ** sliders.generator.value,
      discriminator: 10 ** sliders.discriminator.value, turns: turns.value });
    const balance = (given, text) => {
      for (const key of ["generator", "discriminator"]) sliders[key].value = Math.log10(given[key]);
      turns.value = given.turns;
      say(text);
    };
    const presets = live.row(right);
    live.button(presets, "Spoil it, afresh", () => {
      afresh();
      balance(SPOILT, "Afresh, with four turns a round for the generator and twenty times the "
        + "discriminator's rate. Let them play and watch the made points.");
    });
    live.button(presets, "Balance again", () => balance(BALANCED, "Balanced rates, from where both "
      + "stand. Let them play on and watch the heaps come back."));
    live.range(right, "heaps on a circle", { min: 1, max: 8, step: 1, value: heaps.length },
      (n) => set(circle(n)));
    live.add(right, "span", { class: "name", text: "D for real (blue) and made points (orange)" });
    const curve = live.add(right, "canvas", { role: "img",
      "aria-label": "Curves of the discriminator's mean answers over the rounds" });
    [curve.width, curve.height] = [568, 150];
    curve.style.width = "284px";
    const status = live.add(right, "p", { class: "said", "aria-hidden": "true" });  // while it runs
    const say = live.said(right);

    const several = (n) => {
      for (let i = 0; i < n; i++) history.push(pair.round(heaps, rates()));
      history = history.slice(-1200);
      rounds += n;
    };
    const found = (made) => heaps.filter(([x, y]) => {
      let near = 0;
      for (let i = 0; i < SHOWN; i++) near += Math.hypot(made[2 * i] - x, made[2 * i + 1] - y) < 4 * SPREAD;
      return near >= 0.02 * SHOWN;
    }).length;
    const sentence = (made) => {
      const last = history.slice(-20), mean = (k) => last.reduce((s, v) => s + v[k], 0) / last.length;
      return `Round ${rounds}: made points on ${found(made)} of ${heaps.length} heaps.`
        + (last.length ? ` D says ${mean(0).toFixed(2)} to real, ${mean(1).toFixed(2)} to made points.` : "");
    };
    const tell = () => say(sentence(pair.generator.forward(fixed, SHOWN)));

    const field = document.createElement("canvas");
    field.width = field.height = GRID;
    const grid = Float32Array.from({ length: 2 * GRID * GRID }, (_, i) => {
      const cell = i >> 1, at = i % 2 ? GRID - 1 - Math.floor(cell / GRID) : cell % GRID;
      return RANGE * ((2 * at + 1) / GRID - 1);
    });
    const draw = () => {
      const { context, view } = plane, { generator, discriminator } = pair;
      const paper = field.getContext("2d"), pixels = paper.createImageData(GRID, GRID);
      discriminator.forward(grid, GRID * GRID).forEach((a, i) => {  // orange: made, blue: real
        const d = 2 * sigmoid(a) - 1, s = Math.abs(d);
        pixels.data.set(d > 0 ? [16, 21 + 60 * s, 29 + 110 * s, 255]
          : [16 + 100 * s, 21 + 34 * s, 29 - 20 * s, 255], 4 * i);
      });
      paper.putImageData(pixels, 0, 0);
      context.imageSmoothingEnabled = true;
      context.drawImage(field, 0, 0, view.width, view.height);
      const made = generator.forward(fixed, SHOWN);
      for (const [points, colour] of [[data, "#56B4E9"], [made, "#E69F00"]]) {
        context.fillStyle = colour;
        for (let i = 0; i < SHOWN; i++) {
          context.fillRect(plane.x(points[2 * i]) - 3, plane.y(points[2 * i + 1]) - 3, 6, 6);
        }
      }
      const few = made.slice(0, 2 * ARROWS), logits = discriminator.forward(few, ARROWS);
      const push = discriminator.backward(logits.map((a) => 1 - sigmoid(a)), ARROWS);
      context.strokeStyle = "#fff";
      context.lineWidth = 2.5;
      context.beginPath();
      for (let i = 0; i < ARROWS; i++) {  // the slope of log D, at most a tenth of the plane long
        const [x, y] = [plane.x(few[2 * i]), plane.y(few[2 * i + 1])];
        const size = Math.hypot(push[2 * i], push[2 * i + 1]);
        const long = Math.min(24 * size, 0.1 * view.width) / (size || 1);
        const [dx, dy] = [long * push[2 * i], -long * push[2 * i + 1]];
        context.moveTo(x, y);
        context.lineTo(x + dx, y + dy);
        context.lineTo(x + 0.7 * dx - 0.2 * dy, y + 0.7 * dy + 0.2 * dx);
        context.moveTo(x + dx, y + dy);
        context.lineTo(x + 0.7 * dx + 0.2 * dy, y + 0.7 * dy - 0.2 * dx);
      }
      context.stroke();
      const lines = curve.getContext("2d");
      lines.fillStyle = "#10151d";
      lines.fillRect(0, 0, curve.width, curve.height);
      lines.fillStyle = "#3a4452";
      lines.fillRect(0, curve.height / 2, curve.width, 1);
      ["#56B4E9", "#E69F00"].forEach((colour, k) => {
        lines.strokeStyle = colour;
        lines.lineWidth = 3;
        lines.beginPath();
        history.forEach((means, i) => lines[i ? "lineTo" : "moveTo"](
          (curve.width * i) / Math.max(300, history.length), curve.height * (1 - means[k])));
        lines.stroke();
      });
      status.hidden = !running;
      if (running) status.textContent = sentence(made);
    };
    const run = () => {
      say("Training runs.");
      start.textContent = "Pause";
      const frame = () => {
        const begun = performance.now();
        do several(1); while (performance.now() - begun < 10);
        draw();
        running = requestAnimationFrame(frame);
      };
      running = requestAnimationFrame(frame);
    };
    const pause = () => {
      if (!running) return;
      cancelAnimationFrame(running);
      running = 0;
      start.textContent = "Start";
      draw();
      tell();
    };
    draw();
    tell();
    return {
      stop: () => cancelAnimationFrame(running),
      state: () => ({ pair, heaps, rounds, history, rates: rates() }),
    };
  };
})();
