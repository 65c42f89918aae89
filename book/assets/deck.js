// Starts the deck; 1280 x 720 is the size that the tests look at.
Reveal.initialize({
  width: 1280, height: 720, margin: 0.02, center: false, hash: true, slideNumber: "c/t",
  transition: "none", navigationMode: "linear", controlsLayout: "edges", pdfSeparateFragments: false, plugins: [RevealNotes],
});
