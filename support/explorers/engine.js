// Networks of Keras at work in a page: what support/live.py wrote is read and run here.
// A tensor is { shape: [n, …], data: Float32Array }; layouts and names are those of Keras.
(() => {
  const live = (globalThis.bookLive ??= { explorers: {}, data: {} });
  const size = (shape) => shape.reduce((a, b) => a * b, 1);
  const tensor = (shape, data) => ({ shape, data: data ?? new Float32Array(size(shape)) });

  // Half-precision numbers in base64 as Float32Array. They are finite: live.py sees to it.
  const halves = (text) => {
    const raw = atob(text), out = new Float32Array(raw.length / 2);
    const bits = new Uint32Array(out.buffer);
    for (let i = 0; i < out.length; i++) {
      const h = raw.charCodeAt(2 * i) | (raw.charCodeAt(2 * i + 1) << 8);
      const exponent = (h >> 10) & 31, sign = (h & 0x8000) << 16;
      if (exponent) bits[i] = sign | ((exponent + 112) << 23) | ((h & 1023) << 13);
      else out[i] = (sign ? -1 : 1) * (h & 1023) * 2 ** -24;
    }
    return out;
  };

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const each = (f) => (x) => { for (let i = 0; i < x.length; i++) x[i] = f(x[i]); };
  const ACTIVATIONS = {
    linear: () => {},
    relu: each((x) => (x > 0 ? x : 0)),
    leaky_relu: each((x) => (x > 0 ? x : 0.2 * x)),
    elu: each((x) => (x > 0 ? x : Math.expm1(x))),
    silu: each((x) => x * sigmoid(x)),
    sigmoid: each(sigmoid),
    tanh: each(Math.tanh),
  };

  // out (n, units) += x (n, d) times kernel (d, units); zeros of x cost nothing.
  const times = (x, kernel, out, n, d, units, from = 0) => {
    for (let i = 0; i < n; i++) {
      const row = i * units;
      for (let j = 0; j < d; j++) {
        const value = x[from + i * d + j];
        if (value === 0) continue;
        for (let k = 0, w = j * units; k < units; k++, w++) out[row + k] += value * kernel[w];
      }
    }
    return out;
  };
  const biased = (shape, bias) => {
    const out = tensor(shape), c = shape.at(-1);
    if (bias) for (let i = 0; i < out.data.length; i += c) out.data.set(bias, i);
    return out;
  };
  // [rows, columns] that are skipped at the start of a picture, as TensorFlow pads it
  const skipped = (padding, need) =>
    need.map((n) => (padding === "same" ? Math.floor(Math.max(n, 0) / 2) : 0));

  // One function a layer: (inputs, weights, settings, state of this layer) -> output
  const LAYERS = {
    Dense: ([x], [kernel, bias], { shape }) => {
      const out = biased([...x.shape.slice(0, -1), shape[1]], bias);
      times(x.data, kernel, out.data, size(x.shape.slice(0, -1)), shape[0], shape[1]);
      return out;
    },
    Conv2D: ([x], [kernel, bias], { shape: [kh, kw, cin, cout], strides, padding }) => {
      const [n, h, w] = x.shape;
      const [oh, ow] = [h, w].map((s, i) => (padding === "same" ? Math.ceil(s / strides[i])
        : Math.floor((s - [kh, kw][i]) / strides[i]) + 1));
      const [top, left] = skipped(padding,
        [(oh - 1) * strides[0] + kh - h, (ow - 1) * strides[1] + kw - w]);
      const out = biased([n, oh, ow, cout], bias), y = out.data, data = x.data;
      for (let b = 0, o = 0; b < n; b++) for (let i = 0; i < oh; i++) for (let j = 0; j < ow; j++) {
        for (let p = 0; p < kh; p++) {
          const r = i * strides[0] + p - top;
          if (r < 0 || r >= h) continue;
          for (let q = 0; q < kw; q++) {
            const c = j * strides[1] + q - left;
            if (c < 0 || c >= w) continue;
            const at = ((b * h + r) * w + c) * cin;
            let k = (p * kw + q) * cin * cout;
            for (let e = 0; e < cin; e++, k += cout) {
              const value = data[at + e];
              if (value !== 0) for (let f = 0; f < cout; f++) y[o + f] += value * kernel[k + f];
            }
          }
        }
        o += cout;
      }
      return out;
    },
    Conv2DTranspose: ([x], [kernel, bias], { shape: [kh, kw, cout, cin], strides, padding }) => {
      const [n, h, w] = x.shape, spare = [kh - strides[0], kw - strides[1]];
      const [oh, ow] = [h, w].map((s, i) => s * strides[i]
        + (padding === "same" ? 0 : Math.max(spare[i], 0)));
      const [top, left] = skipped(padding, spare);
      const out = biased([n, oh, ow, cout], bias), y = out.data, data = x.data;
      for (let b = 0; b < n; b++) for (let i = 0; i < h; i++) for (let j = 0; j < w; j++) {
        const at = ((b * h + i) * w + j) * cin;
        for (let p = 0; p < kh; p++) {
          const r = i * strides[0] + p - top;
          if (r < 0 || r >= oh) continue;
          for (let q = 0; q < kw; q++) {
            const c = j * strides[1] + q - left;
            if (c < 0 || c >= ow) continue;
            const o = ((b * oh + r) * ow + c) * cout;
            let k = (p * kw + q) * cout * cin;
            for (let f = 0; f < cout; f++, k += cin) {
              let sum = 0;
              for (let e = 0; e < cin; e++) sum += data[at + e] * kernel[k + e];
              y[o + f] += sum;
            }
          }
        }
      }
      return out;
    },
    Embedding: ([x], [table], { shape: [, d] }) => {
      const out = tensor([...x.shape, d]);
      x.data.forEach((token, i) => out.data.set(table.subarray(token * d, token * d + d), i * d));
      return out;
    },
    // Gates in the order z, r, candidate; `state` is (n, units) and left as the last one.
    GRU: ([x], [kernel, recurrent, bias], { units }, state) => {
      const [n, steps, d] = x.shape, out = tensor([n, steps, units]);
      const h = state.h?.length === n * units ? state.h : (state.h = new Float32Array(n * units));
      for (let i = 0; i < n; i++) {
        const mine = h.subarray(i * units, (i + 1) * units);
        for (let t = 0; t < steps; t++) {
          const a = Float32Array.from(bias.subarray(0, 3 * units)), b = bias.slice(3 * units);
          times(x.data, kernel, a, 1, d, 3 * units, (i * steps + t) * d);
          times(mine, recurrent, b, 1, units, 3 * units);
          for (let k = 0; k < units; k++) {
            const z = sigmoid(a[k] + b[k]), r = sigmoid(a[units + k] + b[units + k]);
            const c = Math.tanh(a[2 * units + k] + r * b[2 * units + k]);
            mine[k] = z * mine[k] + (1 - z) * c;
          }
          out.data.set(mine, (i * steps + t) * units);
        }
      }
      return out;
    },
    Activation: ([x]) => tensor(x.shape, Float32Array.from(x.data)),
    Reshape: ([x], _, { target }) => tensor([x.shape[0], ...target], x.data),
    Flatten: ([x]) => tensor([x.shape[0], size(x.shape.slice(1))], x.data),
  };

  // What live.py wrote of one network -> { run(inputs, state), check() }
  live.model = (stored) => {
    const numbers = halves(stored.weights);
    const nodes = stored.nodes.map((node) => ({
      ...node,
      weights: node.weights.map(([from, n]) => numbers.subarray(from, from + n)),
    }));
    const run = (inputs, state = {}) => {
      const made = [...inputs];
      nodes.forEach((node, i) => {
        const out = LAYERS[node.layer](node.from.map((j) => made[j]), node.weights, node,
          (state[i] ??= {}));
        ACTIVATIONS[node.activation ?? "linear"](out.data);
        made.push(out);
      });
      return stored.outputs.map((i) => made[i]);
    };
    // 32 inputs that Keras has answered too: the largest difference, as a share of each
    // answer's largest number
    const check = () => {
      let worst = 0;
      const { inputs, outputs } = live.probe(stored), answers = run(inputs);
      outputs.forEach((values, k) => {
        const each = values.length / 32, per = answers[k].data.length / 32;
        for (let i = 0; i < 32; i++) {
          const expected = values.slice(i * each, (i + 1) * each);
          const most = Math.max(...expected.map(Math.abs), 1e-6);
          expected.forEach((value, j) => {
            const at = i * per + Math.floor((j * per) / each);
            worst = Math.max(worst, Math.abs(answers[k].data[at] - value) / most);
          });
        }
      });
      return worst;
    };
    return { run, check, inputs: stored.inputs };
  };

  // The inputs of the check: a sequence that live.py makes alike, from -1 to 1 or as tokens
  live.probe = (stored) => {
    let i = 0;
    const inputs = stored.inputs.map(({ shape, tokens }) => {
      const x = tensor([32, ...shape]);
      for (let j = 0; j < x.data.length; j++) {
        const u = (Math.imul(++i, 2654435761) >>> 0) / 2 ** 32;
        x.data[j] = tokens ? Math.floor(u * tokens) : 2 * u - 1;
      }
      return x;
    });
    return { inputs, outputs: stored.probe };
  };
  live.tensor = tensor;
})();
