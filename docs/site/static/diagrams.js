// Draws the page's Mermaid diagrams in the colours of the theme, and anew when those change.

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const diagrams = [...document.querySelectorAll("pre.mermaid")].map((block, index) => ({
  id: `diagram-${index}`,
  block,
  text: block.textContent,
}));

const SMALLEST = 0.6; // of its natural size a diagram can still be read; what is wider is scrolled

async function drawAll() {
  const { theme } = document.body.dataset;
  mermaid.initialize({
    startOnLoad: false,
    theme: theme === "dark" || (theme !== "light" && dark.matches) ? "dark" : "neutral",
    fontFamily: getComputedStyle(document.body).fontFamily,
    flowchart: { useMaxWidth: false },
    sequence: { useMaxWidth: false },
  });
  for (const diagram of diagrams) {
    const width = await draw(diagram);
    // From left to right it is too wide for the page.
    if (width > diagram.block.clientWidth && diagram.text.startsWith("flowchart LR")) {
      await draw({ ...diagram, text: diagram.text.replace("LR", "TB") });
    }
  }
}

async function draw({ id, block, text }) {
  block.innerHTML = (await mermaid.render(id, text)).svg;
  const drawing = block.querySelector("svg");
  const width = drawing.viewBox.baseVal.width;
  Object.assign(drawing.style, { height: "auto", maxWidth: "100%", minWidth: `${SMALLEST * width}px` });
  return width;
}

// One drawing after the other: Mermaid has one set of settings.
let drawn = drawAll();
const drawAgain = () => {
  drawn = drawn.finally(drawAll);
};
dark.addEventListener("change", drawAgain);
new MutationObserver(drawAgain).observe(document.body, { attributeFilter: ["data-theme"] });
