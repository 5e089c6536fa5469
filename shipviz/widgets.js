// What ipywidgets leaves out: names for handles and pictures, the arrow keys, a word about numbers out of range, pointing at a pixel.
// Each widget of shipviz.widgets brings this file along; the first one of a page does it for all.
if (!window.shipvizTouch) {
  window.shipvizTouch = true;
  const ALT = {
    picture: "The picture, with a frame around the pixels that the kernel reads.",
    answer: "The answer of the kernel: orange below zero, white at zero, purple above.",
    heat: "The picture with its heatmap.",
  };
  const kind = e => Object.keys(ALT).find(k => e.classList.contains(`shipviz-${k}`));

  // Names for screen readers. Views come and go, so this looks again at the next frame after anything was added.
  let due = false;
  function name() {
    due = false;
    for (const e of document.querySelectorAll(".shipviz .noUi-handle:not([aria-label]), .shipviz .widget-readout:not([aria-label])")) {
      const label = e.closest(".widget-slider")?.querySelector(".widget-label").textContent;
      if (!label) continue;
      e.setAttribute("aria-label", label);
      if (e.isContentEditable) e.setAttribute("role", "textbox");
    }
    for (const e of document.querySelectorAll(".shipviz img:not([alt])")) if (kind(e)) e.alt = ALT[kind(e)];
  }
  new MutationObserver(() => { if (!due) { due = true; requestAnimationFrame(name) } }).observe(document.body, { childList: true, subtree: true });
  name();

  // A notebook takes keys for itself: arrows, letters. Jupyter leaves alone what is claimed before it looks; VS Code, what does not
  // come up to its window. Slider and menu do what they always do.
  const plain = e => !(e.ctrlKey || e.metaKey || e.altKey || e.shiftKey || /^(Tab|Escape)$/.test(e.key));
  const forHandle = e => plain(e) && /^(Arrow|Page|Home|End)/.test(e.key) && e.target.closest?.(".shipviz .noUi-handle");
  window.addEventListener("keydown", e => {
    if (forHandle(e)) e.preventDefault();
    else if (plain(e) && e.target.closest?.(".shipviz select")) e.stopPropagation();
  }, true);
  document.addEventListener("keydown", e => { if (forHandle(e)) e.stopPropagation() });

  // A number typed beside a slider: out of range it is refused in words below, where ipywidgets would take the nearest without one.
  function typed(e) {
    if (e.type === "keydown" && e.key !== "Enter") return;
    const readout = e.target.closest?.(".shipviz .widget-readout[contenteditable=true]"), slider = readout?.closest(".widget-slider");
    if (!slider) return;
    const text = readout.textContent.trim(), v = text === "" ? NaN : Number(text);
    const [min, max, now] = ["min", "max", "now"].map(n => Number(slider.querySelector(".noUi-handle").getAttribute(`aria-value${n}`)));
    if (v === now) return;
    again(e);
    if (v >= min && v <= max) return;
    readout.textContent = now;
    const words = document.createElement("div");
    words.className = "shipviz-alert";
    words.setAttribute("role", "alert");
    words.textContent = `${text || "Nothing"} is ${isNaN(v) ? "no number" : "out of range"}: a number from ${min} to ${max} is wanted.`;
    slider.after(words);
  }
  function again(e) {
    const below = e.target.closest?.(".shipviz .widget-slider")?.nextElementSibling;
    if (below?.matches(".shipviz-alert")) below.remove();
  }
  for (const type of ["pointerdown", "keydown"]) window.addEventListener(type, again, true);
  for (const type of ["blur", "keydown"]) window.addEventListener(type, typed, true);

  // The pixel below the pointer, once for each frame, is typed into a hidden field that Python listens to.
  let last = null;
  function point(e) {
    if (!e.target.closest?.(".shipviz-picture, .shipviz-answer")) return;
    if (!last) requestAnimationFrame(send);
    last = e;
  }
  function send() {
    const { target, clientX, clientY } = last, field = target.closest(".shipviz")?.querySelector(".shipviz-point input");
    last = null;
    if (!field) return;
    const box = target.getBoundingClientRect();
    const cell = (offset, shown, cells) => Math.min(cells - 1, Math.max(0, Math.floor(offset / shown * cells)));
    const row = cell(clientY - box.top, box.height, target.naturalHeight), column = cell(clientX - box.left, box.width, target.naturalWidth);
    if (field.value === `${kind(target)} ${row} ${column}`) return;
    field.value = `${kind(target)} ${row} ${column}`;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  for (const type of ["pointermove", "pointerdown"]) window.addEventListener(type, point, true);
}
