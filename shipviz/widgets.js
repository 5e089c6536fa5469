// What ipywidgets leaves out: names for handles and pictures, the arrow keys, a word about numbers out of range.
// anywidget loads this file as a module; `render` looks after the widget of shipviz in which `el` stands, as long as that is on show.

const ALT = {
  picture: "The picture.",
  heat: "The picture with its heatmap.",
};
const KINDS = Object.keys(ALT);
const kind = image => KINDS.find(k => image.classList.contains(`shipviz-${k}`));

// Names for screen readers. ipywidgets gives handles and readouts none, and images no alternative text.
function nameParts(root) {
  for (const part of root.querySelectorAll(".noUi-handle:not([aria-label]), .widget-readout:not([aria-label])")) {
    const label = part.closest(".widget-slider")?.querySelector(".widget-label").textContent;
    if (!label) continue;
    part.setAttribute("aria-label", label);
    if (part.isContentEditable) part.setAttribute("role", "textbox");
  }
  for (const image of root.querySelectorAll("img:not([alt])")) if (kind(image)) image.alt = ALT[kind(image)];
}

const isPlain = e => !(e.ctrlKey || e.metaKey || e.altKey || e.shiftKey || /^(Tab|Escape)$/.test(e.key));
const movesHandle = e => isPlain(e) && /^(Arrow|Page|Home|End)/.test(e.key) && e.target.closest(".noUi-handle");

// A number typed beside a slider: out of range it is refused in words below, where ipywidgets would take the nearest without one.
function checkReadout(e) {
  if (e.type === "keydown" && e.key !== "Enter") return;
  const readout = e.target.closest(".widget-readout[contenteditable=true]"), slider = readout?.closest(".widget-slider");
  if (!slider) return;
  const text = readout.textContent.trim(), value = text === "" ? NaN : Number(text);
  const handle = slider.querySelector(".noUi-handle");
  const [min, max, now] = ["min", "max", "now"].map(n => Number(handle.getAttribute(`aria-value${n}`)));
  if (value === now) return;
  removeWords(e);
  if (value >= min && value <= max) return;
  readout.textContent = now;
  const words = document.createElement("div");
  words.className = "shipviz-alert";
  words.setAttribute("role", "alert");
  const problem = isNaN(value) ? "no number" : "out of range";
  words.textContent = `${text || "Nothing"} is ${problem}: a number from ${min} to ${max} is wanted.`;
  slider.after(words);
}

// Another try at a slider: what was said about the last one goes.
function removeWords(e) {
  const below = e.target.closest(".widget-slider")?.nextElementSibling;
  if (below?.matches(".shipviz-alert")) below.remove();
}

function render({ el }) {
  const gone = new AbortController();
  const root = () => el.closest(".shipviz");  // found late: when this is called, `el` has no place in the page yet
  // At the window, and before anybody else: a notebook listens there as well, and would be first.
  function listen(types, f, capture = true) {
    const own = e => { if (e.target instanceof Element && root()?.contains(e.target)) f(e) };
    for (const type of types) (capture ? window : document).addEventListener(type, own, { capture, signal: gone.signal });
  }

  // Views of controls come and go, so this looks again at the next frame after anything was added.
  let due = false;
  const lookAgain = () => { due = false; if (root()) nameParts(root()) };
  const watch = new MutationObserver(() => { if (!due) { due = true; requestAnimationFrame(lookAgain) } });
  watch.observe(document.body, { childList: true, subtree: true });
  lookAgain();

  // A notebook takes keys for itself: arrows, letters. Jupyter leaves alone what is claimed before it looks; VS Code, what does not
  // come up to its window. Slider and menu do what they always do.
  listen(["keydown"], e => {
    if (movesHandle(e)) e.preventDefault();
    else if (isPlain(e) && e.target.closest("select")) e.stopPropagation();
  });
  listen(["keydown"], e => { if (movesHandle(e)) e.stopPropagation() }, false);

  listen(["pointerdown", "keydown"], removeWords);
  listen(["blur", "keydown"], checkReadout);

  return () => { gone.abort(); watch.disconnect() };
}

export default { render };
