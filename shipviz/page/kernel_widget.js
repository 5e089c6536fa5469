// The kernel explorer in Jupyter: anywidget loads this below kernel.js and a line that names FACTS. State
// goes to Python so that code can read it, at most ten times a second; no pixel waits for an answer.
const NAMES = ["preset", "padding", "stride", "relu", "shared", "channel", "colours"];
let explorers = 0;

function render({ model, el }) {
  const root = document.createElement("div"), gone = new AbortController();
  root.className = "notebook";
  el.append(root);
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const ofModel = () => {
    const kernels = model.get("weights").map(list => [...list]), k = Math.sqrt(kernels[0].length);
    const at = model.get("row") < 0 ? null : [model.get("row"), model.get("column")];
    return { ...Object.fromEntries(NAMES.map(name => [name, model.get(name)])), kernels, k, at };
  };
  const ofState = state => ({ ...Object.fromEntries(NAMES.map(name => [name, state[name]])),
    weights: state.kernels.map(list => [...list]),
    row: state.at ? state.at[0] : -1, column: state.at ? state.at[1] : -1 });  // -1: in the middle
  let due = 0, own = false, ready = false;
  function send() { due = 0; model.save_changes() }
  function changed({ state }) {
    if (!ready) return;
    own = true;
    for (const [name, value] of Object.entries(ofState(state)))
      if (!same(value, model.get(name))) model.set(name, value);
    own = false;
    due ||= setTimeout(send, 100);
  }
  const explorer = kernelExplorer(root, { ...FACTS, size: model.get("longest"), preset: model.get("preset"),
    prefix: `shipviz-kernel-${++explorers}-`, level: 4, start: ofModel() }, changed);
  ready = true;
  explorer.open(model.get("address"));
  explorer.own = address => { own = true; model.set("address", address); own = false; model.save_changes() };
  const told = () => { if (!own) explorer.open(model.get("address")) };
  const stopped = part("div", { className: "stopped", role: "status" });
  root.prepend(stopped);
  const ended = () => {
    stopped.textContent = "Python no longer answers here, so code can't read what you change. "
      + "Run the cell again.";
  };
  model.on("comm_live_update", ended);
  let asked = false;
  const fromPython = () => {                 // several traits change at once: followed once
    if (own || asked) return;
    asked = true;
    queueMicrotask(() => {
      asked = false;
      const now = ofModel(), before = ofState(explorer.state);
      const { kernels, k, at, ...rest } = now;
      if (same({ ...rest, weights: kernels, row: model.get("row"), column: model.get("column") }, before))
        return;
      explorer.set(k === explorer.state.k ? now : { ...now, outer: null });
    });
  };
  model.on("change:address", told);
  for (const name of [...NAMES, "weights", "row", "column"]) model.on(`change:${name}`, fromPython);

  // A notebook takes keys for itself, at the document and before anybody else; so at the window, before that.
  window.addEventListener("keydown", e => {
    if (!(e.target instanceof Element) || !root.contains(e.target)) return;
    if (explorer.key(e)) e.preventDefault();
    else if (e.ctrlKey || e.metaKey || e.altKey || e.shiftKey && e.key === "Enter"
      || /^(Tab|Escape)$/.test(e.key)) return;
    e.stopPropagation();
  }, { capture: true, signal: gone.signal });
  return () => {
    gone.abort();
    if (due) { clearTimeout(due); send() }
    model.off("change:address", told); model.off("comm_live_update", ended);
    for (const name of [...NAMES, "weights", "row", "column"]) model.off(`change:${name}`, fromPython);
  };
}

export default { render };
