// The first screen: the picture with its heat, the bars, two classes side by side.
const SHOWN = 6;                             // classes in the list
let pointed = null;                          // the class under the pointer or in focus
const view = $("view");

// Where in the view a pointer is, in 0..1; on a phone there are empty stripes beside a tall picture.
function place(e, canvas = view) {
  const box = canvas.getBoundingClientRect(),
    f = Math.min(box.width / canvas.width, box.height / canvas.height);
  return [(e.clientX - box.left - box.width / 2) / (canvas.width * f) + .5,
    (e.clientY - box.top - box.height / 2) / (canvas.height * f) + .5];
}
function fitView() {
  const f = 720 / Math.max(current.width, current.height);
  view.width = Math.round(current.width * f); view.height = Math.round(current.height * f);
}
const chosen = () => pointed ?? state.a ?? result.order(state.head)[0];

function drawHeat(context, k, from, to) {    // between two columns of the view
  context.save();
  context.beginPath(); context.rect(from, 0, to - from, view.height); context.clip();
  context.imageSmoothingQuality = "high";
  context.drawImage(heatImage(result.heat(state.head, k)), 0, 0, view.width, view.height);
  context.restore();
}
function drawOutline(context, mask, width, height) { // the mask's border: white inside, black outside
  const canvas = surface(SIDE, SIDE), c = canvas.getContext("2d"), image = c.createImageData(SIDE, SIDE);
  for (let i = SIDE; i < SIDE * (SIDE - 1); i++) {
    const inside = mask[i], edge = inside !== mask[i - 1] || inside !== mask[i + 1]
      || inside !== mask[i - SIDE]
      || inside !== mask[i + SIDE];
    if (edge) image.data.set(inside ? [255, 255, 255, 255] : [0, 0, 0, 255], 4 * i);
  }
  c.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(canvas, 0, 0, width, height);
}
function drawView() {
  const context = view.getContext("2d"), { width } = view, a = chosen(),
    cut = state.b === null ? width : width * state.split / 100;
  context.imageSmoothingQuality = "high";
  context.drawImage(current.canvas, 0, 0, width, view.height);
  if (state.heat) {
    drawHeat(context, a, 0, cut);
    if (state.b !== null) drawHeat(context, state.b, cut, width);
  }
  if (state.outline && current.mask) drawOutline(context, current.mask, width, view.height);
  if (state.b !== null && state.heat) {
    context.fillStyle = "#000"; context.fillRect(cut - 2, 0, 5, view.height);
    context.fillStyle = "#fff"; context.fillRect(cut - 1, 0, 3, view.height);
  }
  drawBrush(context);
}

// ---- words ----

function sentence(k) {
  const map = result.heat(state.head, k), p = percent(result.probabilities(state.head)[k]);
  const where = Math.max(...map) > 0 ? `most heat ${hottest(map).where}` : "no place speaks for it";
  return `${names()[k]}, ${p}: ${where}`;
}
function drawWords() {
  const a = chosen(), seen = current.alt ? `${current.title}: ${current.alt}` : current.title;
  const text = state.b === null ? `for ${sentence(a)}`
    : `on the left for ${sentence(a)}; on the right for ${sentence(state.b)}`;
  view.setAttribute("aria-label", state.heat ? `${seen}. Heat ${text}.` : `${seen}, without heat.`);
  $("view-text").textContent = state.heat ? `Heat ${text}.` : "";
  $("scale").hidden = !state.heat;
  $("split-row").hidden = state.b === null || !state.heat;
  $("split-left").textContent = names()[a];
  $("split-right").textContent = state.b === null ? "" : names()[state.b];
  $("outline-row").hidden = !current.mask;
  const share = current.mask && energyIn(result.heat(state.head, a), current.mask);
  const area = current.mask && current.mask.reduce((x, y) => x + y) / current.mask.length;
  $("score").textContent = !current.mask ? "" : Number.isNaN(share) ? "There is no heat to score."
    : `${percent(share)} of the heat for ${names()[a]} lies on the ship, which covers ${percent(area)} of `
    + "the picture: "
    + `${(share / area).toFixed(1)} times what heat spread evenly would have.`;
  const rate = camera.stream ? ` ${camera.rate.toFixed(0)} pictures a second.` : "";
  $("timing").textContent = `The network took ${result.ms.toFixed(0)} ms.${rate}`;
}
function tellPicture() { say(`${current.title}. ${sentence(chosen())}.`) }

// ---- the bars: their buttons stay, only what is in them changes ----

function keep(k) {                           // this class stays, until another is pressed
  state.a = k;
  if (k === state.b) state.b = null;         // beside itself it would be no comparison
  drawLook(); say(sentence(chosen()));
}
function bar() {
  const button = element("button", {}, element("span", { className: "name" }),
    element("span", { className: "share" }),
    element("span", { className: "bar" }));
  const point = k => { pointed = k; drawView(); drawWords() };
  button.onpointerenter = e => { if (e.pointerType === "mouse") point(button.k) };
  button.onpointerleave = () => { if (pointed !== null) point(null) };
  button.onfocus = () => { if (button.matches(":focus-visible")) point(button.k) };
  button.onblur = () => point(null);
  button.onclick = () => keep(state.a === button.k ? null : button.k);
  return element("li", {}, button);
}
function drawBars() {
  const p = result.probabilities(state.head),
    order = result.order(state.head).slice(0, state.head === "ships" ? 5 : SHOWN);
  for (const k of [state.a, state.b]) if (k !== null && !order.includes(k)) order.push(k);
  const list = $("bars");
  while (list.children.length < order.length) list.append(bar());
  while (list.children.length > order.length) list.lastChild.remove();
  order.forEach((k, i) => {
    const button = list.children[i].firstChild, [name, share, line] = button.children;
    button.k = k;
    button.setAttribute("aria-pressed", k === state.a);
    name.textContent = names()[k]; share.textContent = percent(p[k]); line.style.width = `${100 * p[k]}%`;
  });
  if (camera.stream) return;
  const select = $("beside"), options = [...new Set([...order, ...(state.b === null ? [] : [state.b])])];
  select.replaceChildren(new Option("no other class", ""), ...options.map(k => new Option(names()[k], k)));
  select.value = state.b ?? "";
}
function drawLook() { drawBars(); drawView(); drawWords(); drawChange(); writeAddress() }

function fillNames() {
  $("names").replaceChildren(...names().map(name => element("option", { value: name })));
}
function connectLook() {
  const colours = $("colours").getContext("2d");
  HEAT.forEach((c, i) => { colours.fillStyle = `rgb(${c})`; colours.fillRect(i, 0, 1, 1) });
  for (const radio of document.getElementsByName("head")) radio.onchange = () => {
    Object.assign(state, { head: radio.value, a: null, b: null });
    $("find").value = ""; pointed = null;
    fillNames(); drawLook(); say(sentence(chosen()));
  };
  $("find").onchange = e => {
    const text = e.target.value.trim().toLowerCase(), found = name => name.toLowerCase();
    if (!text) return keep(null);
    let k = names().findIndex(name => found(name) === text);
    if (k < 0) k = names().findIndex(name => found(name).includes(text));
    const among = `among these ${names().length.toLocaleString("en")}`;
    trouble(k < 0 ? `There is no class "${e.target.value}" ${among}.` : "");
    if (k >= 0) { e.target.value = names()[k]; keep(k) }
  };
  $("beside").onchange = e => {
    state.b = e.target.value === "" ? null : +e.target.value;
    if (state.b !== null && (state.a === null || state.a === state.b))
      state.a = result.order(state.head).find(k => k !== state.b);
    drawLook(); say($("view-text").textContent);
  };
  $("split").oninput = e => { state.split = +e.target.value; drawView(); writeAddress() };
  $("heat-on").onchange = e => { state.heat = e.target.checked; drawLook() };
  $("outline").onchange = e => { state.outline = e.target.checked; drawLook() };
  let splits = false;
  const move = e => {
    state.split = clamp(Math.round(100 * place(e)[0]), 0, 100);
    $("split").value = state.split;
    drawView(); writeAddress();
  };
  view.addEventListener("pointerdown", e => {
    splits = state.b !== null && !paint.tool;
    if (splits) move(e);
  });
  view.addEventListener("pointermove", e => { if (splits && e.buttons) move(e) });
  view.addEventListener("pointerup", () => splits = false);
}
function showChoices() {                     // controls follow the state that came with the address
  for (const radio of document.getElementsByName("head")) radio.checked = radio.value === state.head;
  $("split").value = state.split; $("heat-on").checked = state.heat; $("outline").checked = state.outline;
  fillNames();
}
