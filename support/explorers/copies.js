// A drawing and its copies through three autoencoders; how far a copy is from the drawing says how
// unusual the drawing is among test digits.
(() => {
  const live = globalThis.bookLive;
  const NAMES = { dense: "Dense", conv: "Convolutional", denoiser: "Denoising" };
  const UNUSUAL = 95;  // per cent of test digits that are copied better
  const STYLE = `
.live .share { position: relative; height: 0.8em; border-radius: 0.2em;
  background: color-mix(in srgb, currentColor 15%, transparent); }
.live .share b { position: absolute; left: 0; top: 0; height: 100%; border-radius: 0.2em; background: #0072B2; }
.live .share.odd b { background: #D55E00; }
.live .copy-said { font-size: 0.84em; min-height: 5.2em; }
`;

  live.explorers.copies = (stage, models, options, state) => {
    const examples = Object.fromEntries(Object.entries(options.examples)
      .map(([name, text]) => [name, live.bytes(text)]));
    let noise = state.noise ?? new Float32Array(784).map(live.normal);

    live.add(stage, "style", { text: STYLE });
    const left = live.piece(stage, "Draw a digit, or anything", 176);
    const pad = live.pad(left, { shown: 176, start: state.pad, change: () => show() });
    const buttons = live.row(left);
    live.button(buttons, "Clear", () => pad.clear());
    live.button(buttons, "Other noise", () => {
      noise = noise.map(live.normal);
      show();
    });
    const sigma = live.range(left, "noise σ", { min: 0, max: 1, step: 0.05, value: state.sigma ?? 0 },
      () => show(), (x) => x.toFixed(2));
    const middle = live.piece(stage, "What they see", 112);
    const seen = live.picture(middle, 28, 28, 4, "The drawing as the networks see it, with its noise");
    const copies = Object.entries(models).map(([name, model]) => {
      const column = live.piece(stage, NAMES[name], 112);
      const picture = live.picture(column, 28, 28, 4, `Copy by the ${NAMES[name].toLowerCase()} network`);
      const share = live.add(column, "div", { class: "share" });
      return { name, model, picture, share, bar: live.add(share, "b"),
        text: live.add(column, "span", { class: "copy-said" }) };
    });
    live.examples(live.piece(stage, "Examples: digits, and what is none"), examples, pad);
    const say = live.said(stage);

    const show = () => {
      const clean = pad.drawn();
      const x = clean.map((v, i) => live.clamp(v + sigma.value * noise[i], 0, 1));
      seen.show(x);
      const blank = !clean.some((v) => v > 0);
      const told = copies.map(({ name, model, picture, share, bar, text }) => {
        const copy = model.run([live.tensor([1, ...model.inputs[0].shape], x)])[0].data;
        picture.show(copy);
        let sum = 0;
        clean.forEach((v, i) => { sum += (v - copy[i]) ** 2; });
        const error = Math.sqrt(sum / 784), limits = options.errors[name];
        const larger = limits.filter((q) => q < error).length;  // of 101 places, in order
        bar.style.width = blank ? 0 : `${Math.min(larger, 100)}%`;
        share.classList.toggle("odd", !blank && larger > UNUSUAL);
        text.textContent = blank ? "" : `Off by ${error.toFixed(3)}, more than ${larger > 100 ? "any"
          : `${Math.min(larger, 99)} % of`} test digit${larger > 100 ? "" : "s"}`;
        return !blank && larger > UNUSUAL ? NAMES[name].toLowerCase() : "";
      }).filter(Boolean);
      say(blank ? "Nothing is drawn yet." : told.length ? `Unusual for the ${told.join(", the ")} network: `
        + "at least 95 % of test digits are copied better."
        : "Usual for all three networks: fewer than 95 % of test digits are copied better.");
    };
    if (state.pad) show();
    else pad.show(Object.values(examples)[0]);
    return {
      stop: () => pad.stop(),
      state: () => ({ noise, sigma: sigma.value, pad: { strokes: pad.strokes, picture: pad.picture } }),
    };
  };
})();
