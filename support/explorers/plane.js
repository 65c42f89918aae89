// A digit on the plane of a VAE: draw it, see its cloud, drag the code, walk between two drawings.
(() => {
  const live = globalThis.bookLive;
  const COLOURS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2",
    "#7f7f7f", "#bcbd22", "#17becf"];  // Matplotlib's tab10, as in the lecture's figure
  const RANGE = 3.2, DRAWS = 6, COLUMNS = 3;

  live.explorers.plane = (stage, { encoder, decoder }, options, state) => {
    const codes = live.bytes(options.codes).map((u) => (2 * u - 1) * RANGE);
    const labels = Uint8Array.from(atob(options.labels), (c) => c.charCodeAt(0));
    const digits = Object.fromEntries(Object.entries(options.digits)
      .map(([name, text]) => [name, live.bytes(text)]));
    let cloud = null, code = state.code ?? [0, 0], ends = state.ends ?? null, walk = 0;
    let noise = state.noise ?? Array.from({ length: DRAWS }, () => [live.normal(), live.normal()]);

    const encode = (picture) => {
      const x = live.tensor([1, 784], picture);
      const [mean, logVariance] = encoder.run([x]).map((y) => [...y.data]);
      return { mean, sd: logVariance.map((v) => Math.exp(v / 2)) };
    };
    const decode = (points) => {
      const x = live.tensor([points.length, 2], Float32Array.from(points.flat()));
      return decoder.run([x])[0].data.map((a) => 1 / (1 + Math.exp(-a)));
    };
    const nearest = ([x, y]) => {  // the class of most of the 15 nearest test digits
      const far = Array.from(labels, (label, i) =>
        [(codes[2 * i] - x) ** 2 + (codes[2 * i + 1] - y) ** 2, label]);
      const near = far.sort((a, b) => a[0] - b[0]).slice(0, 15).map((pair) => pair[1]);
      return near.sort((a, b) => near.filter((l) => l === a).length - near.filter((l) => l === b).length).at(-1);
    };

    const left = live.piece(stage, "Your digit", 196);
    const pad = live.pad(left, { shown: 196, start: state.pad, change: (picture) => {
      cloud = picture.some((v) => v > 0) ? encode(picture) : null;
      drawCloud();
      if (cloud) go(cloud.mean);
      else draw();
    } });
    const buttons = live.row(left);
    live.button(buttons, "Clear", () => pad.clear());
    live.examples(left, digits, pad);

    const middle = live.piece(stage, "Decoded", 140);
    const picture = live.picture(middle, 28, 28, 5, "The picture decoded from the code");
    const sliders = ["z₁", "z₂"].map((name, k) => live.range(middle, name,
      { min: -RANGE, max: RANGE, step: 0.02, value: 0 },
      (z) => { stop(); const to = [...code]; to[k] = z; go(to); }, (z) => z.toFixed(2)));
    live.add(middle, "span", { class: "name", text: "Six draws" });
    const few = live.picture(middle, 28 * COLUMNS, 28 * DRAWS / COLUMNS, 5 / COLUMNS,
      "Six pictures decoded from draws of the digit's cloud");
    live.button(live.row(middle), "Draw again", () => {
      noise = noise.map(() => [live.normal(), live.normal()]);
      drawCloud();
    });

    const right = live.piece(stage, "The plane of codes", 312);
    const plane = live.plane(right, { pixels: 312, range: RANGE,
      label: "Plane of codes. Arrow keys move the code.", point: (x, y) => { stop(); go([x, y]); } });

    const keep = live.row(live.piece(stage, "Walk between two codes"));
    const marks = ["A", "B"].map((name, k) => live.button(keep, `Keep as ${name}`, () => {
      ends ??= [code, code];
      ends = ends.map((end, i) => (i === k ? [...code] : end));
      draw();
    }));
    const walker = live.button(keep, "Walk", () => {
      if (walk) { stop(); return; }
      let last = performance.now();
      if (share.value >= 1) share.value = 0;
      const step = (now) => {
        share.value = Math.min(1, share.value + (now - last) / 4000);
        last = now;
        go(between(share.value));
        walk = share.value < 1 ? requestAnimationFrame(step) : 0;
        walker.textContent = walk ? "Stop" : "Walk";
      };
      walk = requestAnimationFrame(step);
    });
    walker.hidden = live.calm();  // the slider goes the same way
    const between = (t) => ends[0].map((z, k) => (1 - t) * z + t * ends[1][k]);
    const share = live.range(keep, "from A to B", { min: 0, max: 1, step: 0.01, value: state.share ?? 0 },
      (t) => { stop(); go(between(t)); }, (t) => `${Math.round(100 * t)} %`);
    const say = live.said(stage);
    const stop = () => {
      cancelAnimationFrame(walk);
      walk = 0;
      walker.textContent = "Walk";
    };

    const background = document.createElement("canvas");
    background.width = background.height = plane.view.width;
    const paper = background.getContext("2d");
    paper.fillStyle = "#10151d";
    paper.fillRect(0, 0, background.width, background.height);
    for (let i = 0; i < labels.length; i++) {
      paper.fillStyle = COLOURS[labels[i]];
      paper.beginPath();
      paper.arc(plane.x(codes[2 * i]), plane.y(codes[2 * i + 1]), 3.2, 0, 7);
      paper.fill();
    }
    paper.font = "bold 26px sans-serif";
    paper.textAlign = "center";
    paper.textBaseline = "middle";
    for (let digit = 0; digit < 10; digit++) {
      const mine = [...labels.keys()].filter((i) => labels[i] === digit);
      const [x, y] = [0, 1].map((k) => mine.map((i) => codes[2 * i + k]).sort((a, b) => a - b)[mine.length >> 1]);
      paper.fillStyle = COLOURS[digit];
      paper.fillRect(plane.x(x) - 16, plane.y(y) - 18, 32, 36);
      paper.fillStyle = digit === 8 || digit === 1 || digit === 6 ? "#000" : "#fff";
      paper.fillText(digit, plane.x(x), plane.y(y));
    }

    const draw = () => {
      const { context } = plane;
      context.drawImage(background, 0, 0);
      if (cloud) {
        for (const [sds, alpha] of [[2, 0.25], [1, 0.5]]) {
          context.fillStyle = `rgba(255, 255, 255, ${alpha})`;
          context.strokeStyle = "#fff";
          context.lineWidth = 2;
          context.beginPath();
          context.ellipse(plane.x(cloud.mean[0]), plane.y(cloud.mean[1]),
            sds * cloud.sd[0] * plane.unit, sds * cloud.sd[1] * plane.unit, 0, 0, 7);
          context.fill();
          context.stroke();
        }
      }
      if (ends) {
        context.strokeStyle = "#fff";
        context.setLineDash([8, 8]);
        context.beginPath();
        ends.forEach((end, k) => context[k ? "lineTo" : "moveTo"](plane.x(end[0]), plane.y(end[1])));
        context.stroke();
        context.setLineDash([]);
        context.font = "bold 26px sans-serif";
        context.fillStyle = "#fff";
        ends.forEach((end, k) => context.fillText("AB"[k], plane.x(end[0]) + 10, plane.y(end[1]) - 10));
      }
      context.fillStyle = "#D55E00";
      context.strokeStyle = "#fff";
      context.lineWidth = 4;
      context.beginPath();
      context.arc(plane.x(code[0]), plane.y(code[1]), 14, 0, 7);
      context.fill();
      context.stroke();
      picture.show(decode([code]));
      say(sentence);
    };
    const drawCloud = () => {
      const [middle, sd] = cloud ? [cloud.mean, cloud.sd] : [code, [0, 0]];
      const all = decode(noise.map((e) => middle.map((m, k) => m + sd[k] * e[k])));
      const row = new Float32Array(DRAWS * 784);  // the draws, three beside each other
      for (let d = 0; d < DRAWS; d++) for (let i = 0; i < 28; i++) {
        const from = 784 * d + 28 * i, line = 28 * Math.floor(d / COLUMNS) + i;
        row.set(all.subarray(from, from + 28), 28 * (line * COLUMNS + (d % COLUMNS)));
      }
      few.show(row);
    };
    const sentence = () => {
      const place = `(${code.map((z) => z.toFixed(2)).join(", ")})`;
      const text = `The code ${place} lies among the ${nearest(code)}s.`;
      if (!cloud) return text;
      const [x, y] = [pad.drawn(), decode([cloud.mean])];
      const kl = cloud.mean.reduce((sum, m, k) => sum
        + (m * m + cloud.sd[k] ** 2) / 2 - Math.log(cloud.sd[k]) - 0.5, 0);
      let nats = 0;
      x.forEach((v, i) => { nats -= v * Math.log(y[i] + 1e-7) + (1 - v) * Math.log(1 - y[i] + 1e-7); });
      return `${text} Cloud of your digit: middle (${cloud.mean.map((z) => z.toFixed(2)).join(", ")}), σ `
        + `(${cloud.sd.map((s) => s.toFixed(2)).join(", ")}); its price is ${kl.toFixed(1)} nats, `
        + `the copy from its middle costs ${nats.toFixed(0)}.`;
    };
    const go = (to) => {
      code = to.map((z) => live.clamp(z, -RANGE, RANGE));
      plane.at = code;
      sliders.forEach((slider, k) => { slider.value = code[k]; });
      draw();
    };
    if (state.code) {
      if (pad.drawn().some((v) => v > 0)) cloud = encode(pad.drawn());
      drawCloud();
      go(state.code);
    } else {
      const names = Object.keys(digits);
      ends = [names[0], names.at(-1)].map((name) => encode(digits[name]).mean);
      pad.show(digits[names[0]]);
      cloud = encode(digits[names[0]]);
      drawCloud();
      go(cloud.mean);
    }
    return {
      stop: () => { stop(); pad.stop(); },
      state: () => ({ code, ends, noise, share: share.value,
        pad: { strokes: pad.strokes, picture: pad.picture } }),
    };
  };
})();
