// A model of characters at the reader's hand: type, see the next character's probabilities, bend
// them, choose one; let it write greedily, by chance and by beam search.
(() => {
  const live = globalThis.bookLive;
  const BARS = 10, LENGTH = 80, BEAM = 4, CONTEXT = 200;
  const NAMES = { " ": "space", "\n": "new line", "#": "# (rare)" };
  const STYLE = `
.live .bars { display: grid; gap: 2px; }
.live button.bar { display: grid; grid-template-columns: 4.6em 1fr 3.6em; gap: 0.5em; align-items: center;
  padding: 0 0.4em; min-height: 1.75em; text-align: left; border-color: transparent; }
.live .bar i { display: block; position: relative; height: 0.95em; }
.live .bar b { position: absolute; left: 0; top: 0; height: 100%; background: #0072B2; }
.live .bar u { position: absolute; left: 0; top: 0; height: 100%; box-sizing: border-box;
  border: 1.5px solid color-mix(in srgb, currentColor 60%, transparent); }
.live .bar span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
.live .beside { display: flex; flex-wrap: wrap; gap: 0.5em 14px; width: 100%; }
.live .beside > .piece { flex: 1 1 13em; }
.live .wrote { margin: 0; font-size: 0.86em; min-height: 5.2em; white-space: pre-wrap; overflow-wrap: anywhere; }
@media (pointer: coarse) { .live button.bar { min-height: 2.75em; } }
`;

  live.explorers.typing = (stage, { model }, { alphabet, prompt }, state) => {
    const number = Object.fromEntries(alphabet.map((c, i) => [c, i])), size = alphabet.length;
    let text = state.text ?? prompt, read = "", memory = {}, logP = null, missing = "", job = 0;

    const logSoftmax = (a) => {
      const most = Math.max(...a);
      const sum = Math.log(a.reduce((s, v) => s + Math.exp(v - most), 0)) + most;
      return Array.from(a, (v) => v - sum);
    };
    // One character on: (token, state of the cell) -> log-probabilities of the next; the state is
    // changed in place
    const step = (token, memory) =>
      logSoftmax(model.run([live.tensor([1, 1], Float32Array.of(token))], memory)[0].data);
    const copied = (memory) => Object.fromEntries(
      Object.entries(memory).map(([i, kept]) => [i, kept.h ? { h: kept.h.slice() } : {}]));
    const follow = () => {  // reads what is new, or the last 200 characters where it isn't
      missing = [...new Set(text)].filter((c) => !(c in number)).join(" ");
      const known = [...text].filter((c) => c in number).join("");
      if (!logP || !known.startsWith(read) || known.length - read.length > CONTEXT) {
        [read, memory] = [known.slice(0, Math.max(0, known.length - CONTEXT)), {}];
        logP = Array(size).fill(-Math.log(size));
      }
      for (const c of known.slice(read.length)) logP = step(number[c], memory);
      read = known;
    };
    // Temperature, then the k likeliest, then the fewest that hold the share; -> probabilities
    const bent = (logP) => {
      const p = logSoftmax(logP.map((v) => v / temperature.value)).map(Math.exp);
      const order = [...p.keys()].sort((a, b) => p[b] - p[a]);
      const kept = new Set();
      let held = 0;
      for (const i of order.slice(0, topK.value)) {
        if (held >= topP.value) break;
        kept.add(i);
        held += p[i];
      }
      return p.map((v, i) => (kept.has(i) ? v / held : 0));
    };
    const drawn = (p) => {
      let u = Math.random();
      for (const [i, v] of p.entries()) if ((u -= v) < 0) return i;
      return p.indexOf(Math.max(...p));
    };

    live.add(stage, "style", { text: STYLE });
    const typed = live.piece(stage, "Type a beginning");
    const field = live.add(typed, "input", { type: "text", spellcheck: "false", autocomplete: "off",
      autocapitalize: "off", "aria-label": "The beginning of the text" });
    field.value = text.replaceAll("\n", "⏎");
    field.addEventListener("input", () => { text = field.value.replaceAll("⏎", "\n"); show(); });

    const left = live.piece(stage, "Next character: press to choose", 330);
    const bars = live.add(left, "div", { class: "bars" });
    const rows = Array.from({ length: BARS }, () => {
      const button = live.button(bars, "", () => choose(button.character), { class: "bar" });
      const name = live.add(button, "span"), track = live.add(button, "i");
      return { button, name, now: live.add(track, "b"), before: live.add(track, "u"),
        share: live.add(button, "span") };
    });
    const right = live.piece(stage, "Bend the probabilities", 320);
    const given = { temperature: 1, topK: size, topP: 1, ...state.given };
    const temperature = live.range(right, "temperature", { min: 0.05, max: 2, step: 0.05,
      value: given.temperature }, () => show(), (x) => x.toFixed(2));
    const topK = live.range(right, "top-k", { min: 1, max: size, step: 1, value: given.topK },
      () => show(), (k) => (k === size ? "all" : String(k)));
    const topP = live.range(right, "top-p", { min: 0.05, max: 1, step: 0.05, value: given.topP },
      () => show(), (x) => x.toFixed(2));
    const buttons = live.row(right);
    live.button(buttons, "Choose by chance", () => choose(alphabet[drawn(bent(logP))]));
    live.button(buttons, "One back", () => put([...text].slice(0, -1).join("")));
    live.button(buttons, "Start again", () => put(prompt));
    const say = live.said(right);
    live.add(right, "span", { class: "name", text: `Let it write ${LENGTH} characters` });
    live.button(live.row(right), "Write", () => write());
    const beside = live.add(stage, "div", { class: "beside" });
    const columns = ["Greedy", "By chance, as bent", `Beam of ${BEAM}`].map((name) => {
      const column = live.piece(beside, name, "13em");
      return { shown: live.add(column, "p", { class: "wrote", text: "–" }), bits: live.add(column, "output") };
    });

    const put = (to) => {
      text = to;
      field.value = text.replaceAll("\n", "⏎");
      field.scrollLeft = field.scrollWidth;
      show();
    };
    const choose = (c) => put(text + c);
    const show = () => {
      follow();
      const p = bent(logP), order = [...p.keys()].sort((a, b) => p[b] - p[a] || logP[b] - logP[a]);
      const scale = 100 / Math.max(p[order[0]], Math.exp(Math.max(...logP)));
      rows.forEach(({ button, name, now, before, share }, r) => {
        const i = order[r], character = alphabet[i];
        button.character = character;
        name.textContent = NAMES[character] ?? character;
        now.style.width = `${scale * p[i]}%`;
        before.style.width = `${scale * Math.exp(logP[i])}%`;
        share.textContent = `${(100 * p[i]).toFixed(p[i] < 0.1 ? 1 : 0)} %`;
        button.disabled = p[i] === 0;
        button.setAttribute("aria-label", `${NAMES[character] ?? character}, ${share.textContent}`);
      });
      const bits = p.reduce((sum, v) => sum - (v ? v * Math.log2(v) : 0), 0);
      say(`${p.filter((v) => v > 0).length} of ${size} characters may be drawn, entropy `
        + `${bits.toFixed(2)} bits.${missing ? ` The model doesn't know ${missing}.` : ""}`);
    };
    // Three ways side by side, a few characters a frame; bits are by the model's own probabilities
    const write = () => {
      cancelAnimationFrame(job);
      const begin = (rule) => ({ rule, tokens: [], logP, score: 0, memory: copied(memory) });
      const on = (path, token) => ({ ...path, tokens: [...path.tokens, token],
        score: path.score + path.logP[token] });
      const advance = (path) => ({ ...path, logP: step(path.tokens.at(-1), path.memory) });
      const best = (logP) => logP.indexOf(Math.max(...logP));
      let paths = [begin(best), begin((logP) => drawn(bent(logP)))], beam = [begin()];
      const one = () => {
        paths = paths.map((path) => advance(on(path, path.rule(path.logP))));
        const ends = beam.flatMap((path) => path.logP.map((v, token) => [path.score + v, path, token]));
        beam = ends.sort((a, b) => b[0] - a[0]).slice(0, BEAM)
          .map(([, path, token]) => advance({ ...on(path, token), memory: copied(path.memory) }));
        [...paths, beam[0]].forEach(({ tokens, score }, k) => {
          columns[k].shown.textContent = tokens.map((i) => alphabet[i]).join("");
          columns[k].bits.textContent = `${(-score / Math.log(2) / tokens.length).toFixed(2)} bits a character`;
        });
      };
      const frame = () => {
        const begun = performance.now();
        while (paths[0].tokens.length < LENGTH && performance.now() - begun < 25) one();
        if (paths[0].tokens.length < LENGTH) job = requestAnimationFrame(frame);
        else say("Written: greedy, by chance and by beam search, with the bits that each costs.");
      };
      frame();
    };
    show();
    return {
      stop: () => cancelAnimationFrame(job),
      state: () => ({ text,
        given: { temperature: temperature.value, topK: topK.value, topP: topP.value } }),
    };
  };
})();
