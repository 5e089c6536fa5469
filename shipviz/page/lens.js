// The lens: one kernel at work. A 9×9 piece of what it reads, the weights, the products, their sum.
const lens = { index: 0, layer: null, channel: 0, reads: [], side: SIDE, made: null, own: null,
  answer: null, timer: 0, name: "learned", past: [], future: [] };
const PATCH = 9;

function picturePlanes() {                   // red, green and blue as the network gets them
  const rgba = look();
  return [0, 1, 2].map(c => Float32Array.from({ length: SIDE * SIDE },
    (_, i) => (rgba[4 * i + c] - 127) / 128));
}
// the place of the largest value, not at the border, where zeros are read
function strongest(values, side) {
  let best = (side >> 1) * side + (side >> 1);
  for (let y = 1; y < side - 1; y++) for (let x = 1; x < side - 1; x++)
    if (Math.abs(values[y * side + x]) > Math.abs(values[best])) best = y * side + x;
  return best;
}
async function openLens(index, channel, at = null) {
  if (!result.keep) await analyse();
  if (!$("lens").open) { $("lens").showModal(); if (!result.keep) await analyse() }
  const layer = network.layers[index], made = await layerMaps(index);
  const before = index ? await layerMaps(index - 1) : null;
  stopWalk();
  Object.assign(lens, { index, layer, channel, made, own: null, answer: null, name: "learned", past: [],
    future: [],
    side: before ? before.side : SIDE });
  lens.reads = !before ? picturePlanes() : layer.kind === "depthwise" ? [plane(before, channel)]
    : Array.from({ length: layer.n }, (_, c) => plane(before, c));
  const known = at !== null && at < made.side ** 2;
  Object.assign(state, { layer: index, map: channel,
    at: known ? at : strongest(plane(made, channel), made.side) });
  $("lens-kernel").value = "learned";
  drawLens();
}
function closeLens() {
  stopWalk();
  Object.assign(state, { layer: null, map: 0, at: 0 });
  writeAddress();
}

// zeros above and on the left
const before = ({ size, stride }) => stride === 2 ? (size - 2) >> 1 : size >> 1;
const spatial = () => lens.layer.kind !== "pointwise";
const channelOfPatch = () => lens.layer.kind === "stem" ? +$("lens-colour").value : 0;
function weightsOf() {                       // one array for each plane that is read; the bias last
  if (lens.own) return { kernels: lens.reads.map(() => lens.own), bias: 0 };
  const all = kernelOf(lens.layer, lens.channel), n = spatial() ? lens.layer.size ** 2 : 1;
  return { kernels: lens.reads.map((_, c) => all.subarray(c * n, c * n + n)), bias: all.at(-1) };
}
const beyond = (y, x) => y < 0 || x < 0 || y >= lens.side || x >= lens.side;
const read = (values, y, x) => beyond(y, x) ? 0 : values[y * lens.side + x];
function windowAt(at) {                      // its upper left corner
  const { size, stride } = lens.layer, side = lens.made.side, p = spatial() ? before(lens.layer) : 0;
  return [(at / side | 0) * stride - p, at % side * stride - p, spatial() ? size : 1];
}
function sumAt(at, { kernels, bias }) {
  const [y0, x0, k] = windowAt(at);
  let sum = bias;
  lens.reads.forEach((values, c) => {
    for (let i = 0; i < k * k; i++) sum += kernels[c][i] * read(values, y0 + (i / k | 0), x0 + i % k);
  });
  return sum;
}
function response() {                        // the network's own, or what a kernel by hand gives
  if (!lens.own) return plane(lens.made, lens.channel);
  const weights = weightsOf();
  return lens.answer ??= Float32Array.from({ length: lens.made.side ** 2 }, (_, i) => sumAt(i, weights));
}

// How far back a value of this layer looks: start, distance and width in pixels of the photo
function field(index) {
  let start = 0, jump = 1, width = 1;
  for (const layer of network.layers.slice(0, index + 1)) {
    if (layer.kind === "pointwise") continue;
    start -= before(layer) * jump; width += (layer.size - 1) * jump; jump *= layer.stride;
  }
  return { start, jump, width };
}

// ---- drawing ----

function frame(context, y, x, h, w, line) {
  for (const [colour, grow] of [["#fff", line], ["#000", 0]]) {
    context.strokeStyle = colour; context.lineWidth = line;
    context.strokeRect(x - line / 2 - grow, y - line / 2 - grow, w + line + 2 * grow, h + line + 2 * grow);
  }
}
function scaled(canvas, values, side, limit) {       // drawn large, so that a frame around a cell is thin
  const small = surface(side, side), f = Math.max(1, Math.ceil(336 / side));
  drawSigned(small, values, side, side, limit);
  canvas.width = canvas.height = side * f;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, side * f, side * f);
  return [context, f];
}
function drawReads(shown) {
  const [y0, x0, k] = windowAt(state.at), canvas = $("lens-in");
  if (lens.layer.kind === "stem") {
    canvas.width = canvas.height = 2 * SIDE;
    const context = canvas.getContext("2d");
    context.drawImage(current.canvas, 0, 0, 2 * SIDE, 2 * SIDE);
    frame(context, 2 * y0, 2 * x0, 2 * k, 2 * k, 2);
  } else {
    const [context, f] = scaled(canvas, lens.reads[shown], lens.side, largest(lens.reads[shown]));
    frame(context, f * y0, f * x0, f * k, f * k, 3);
  }
}
function drawResponse() {
  const values = response(), side = lens.made.side,
    [context, f] = scaled($("lens-out"), values, side, largest(values));
  const row = state.at / side | 0, column = state.at % side;
  if (lens.timer) {                          // on a walk, only what has been computed
    context.fillStyle = getComputedStyle(document.body).getPropertyValue("--field");
    context.fillRect(f * (column + 1), f * row, f * side, f);
    context.fillRect(0, f * (row + 1), f * side, f * side);
  }
  frame(context, f * row, f * column, f, f, 3);
  $("lens-out-text").textContent = `what it makes: ${side}×${side}; row ${row}, column ${column}`;
}
function drawField() {
  const canvas = $("lens-photo"), { start, jump, width } = field(lens.index), side = lens.made.side;
  canvas.width = canvas.height = 2 * SIDE;
  const context = canvas.getContext("2d"), y = start + (state.at / side | 0) * jump,
    x = start + state.at % side * jump;
  context.drawImage(current.canvas, 0, 0, 2 * SIDE, 2 * SIDE);
  if (width < 2 * SIDE) frame(context, 2 * y, 2 * x, 2 * width, 2 * width, 3);
  $("lens-photo-text").textContent = width < 2 * SIDE
    ? `in the photo: this value depends on ${width}×${width} pixels`
    : "in the photo: this value depends on all of it";
}
function numbersTable(caption, size, fill) {
  const table = element("table", { className: "patch" }, element("caption", {}, caption)),
    body = element("tbody");
  for (let r = 0; r < size; r++) {
    const row = element("tr");
    for (let c = 0; c < size; c++) row.append(fill(element("td"), r, c));
    body.append(row);
  }
  table.append(body);
  return table;
}
function weightField(weights, i, k) {
  const input = element("input", { type: "text", inputMode: "decimal", value: fixed(weights[i], 3),
    "aria-label": `weight in row ${(i / k | 0) + 1}, column ${i % k + 1}` });
  input.onchange = () => {
    const v = Number(input.value.replace("−", "-"));
    if (!Number.isFinite(v) || Math.abs(v) > 100) { input.value = fixed(weights[i], 3); return }
    const own = Array.from(weights);
    own[i] = v;
    useOwn(own, "own");
  };
  return input;
}
function drawWindowSum() {
  const [y0, x0, k] = windowAt(state.at), c = channelOfPatch(), { kernels, bias } = weightsOf(),
    values = lens.reads[c];
  const top = y0 + (k >> 1) - (PATCH >> 1), left = x0 + (k >> 1) - (PATCH >> 1), limit = largest(values);
  const patch = numbersTable(lens.layer.kind === "stem" ? "what it reads, this colour" : "what it reads",
    PATCH, (cell, r, i) => {
    const y = top + r, x = left + i, v = read(values, y, x),
      inside = y >= y0 && y < y0 + k && x >= x0 && x < x0 + k;
    cell.textContent = beyond(y, x) ? "0" : fixed(v); cellColour(cell, v, limit);
    if (inside) cell.className = "in";
    return cell;
  });
  const most = largest(kernels[c]);
  const weights = numbersTable("weights", k, (cell, r, i) => {
    cellColour(cell, kernels[c][r * k + i], most);
    cell.append(weightField(kernels[c], r * k + i, k));
    return cell;
  });
  const products = Array.from({ length: k * k },
    (_, i) => kernels[c][i] * read(values, y0 + (i / k | 0), x0 + i % k));
  const made = numbersTable("products", k, (cell, r, i) => {
    cell.textContent = fixed(products[r * k + i]); cellColour(cell, products[r * k + i], largest(products));
    return cell;
  });
  $("lens-sum").replaceChildren(patch, weights, made);
  const total = sumAt(state.at, weightsOf()), sum = products.reduce((a, b) => a + b);
  const others = lens.reads.length > 1 ? `, with the other two colours ${fixed(total - bias)}` : "";
  const constant = lens.own ? "" : `, plus ${fixed(bias)} = ${fixed(total)}`;
  const cut = lens.own ? "" : `; ReLU6 makes it ${fixed(clamp(total, 0, 6))}`;
  $("lens-total").textContent = `Sum of the products ${fixed(sum)}${others}${constant}${cut}.`;
}
function drawPointSum() {                    // 1×1: the largest products of all that meet at this place
  const { kernels, bias } = weightsOf(), [y, x] = windowAt(state.at), { layer } = lens;
  const products = lens.reads.map((values, c) => kernels[c][0] * read(values, y, x));
  const order = [...products.keys()].sort((i, j) => Math.abs(products[j]) - Math.abs(products[i])),
    top = order.slice(0, 10);
  const head = element("tr", {}, ...["map before", "its value here", "weight", "product"]
    .map(text => element("th", { scope: "col" }, text)));
  const body = top.map(c => {
    const cell = element("td"), back = element("button", {}, `map ${c}`),
      last = element("td", {}, fixed(products[c], 3));
    back.onclick = () => openLens(lens.index - 1, c, y * lens.side + x);
    cell.append(back);
    cellColour(last, products[c], Math.abs(products[top[0]]) || 1);
    return element("tr", {}, cell, element("td", {}, fixed(read(lens.reads[c], y, x), 3)),
      element("td", {}, fixed(kernels[c][0], 3)), last);
  });
  $("lens-sum").replaceChildren(element("table", {},
    element("caption", {}, `the ten largest of ${layer.n} products`),
    element("thead", {}, head), element("tbody", {}, ...body)));
  const sum = products.reduce((a, b) => a + b), ten = top.reduce((a, c) => a + products[c], 0),
    total = sum + bias;
  const value = plane(lens.made, lens.channel)[state.at];
  const end = layer.act ? `; ReLU6 makes it ${fixed(clamp(total, 0, 6))}`
    : layer.skip ? `; with what came into the block it is ${fixed(value)}` : "";
  $("lens-total").textContent = `Ten products ${fixed(ten)}, all ${layer.n} ${fixed(sum)}, `
    + `plus ${fixed(bias)} = ${fixed(total)}${end}.`;
  return order[0];
}
function drawLens() {
  const { layer, channel } = lens, flat = !spatial();
  $("lens-title").textContent = `${layer.name === "last" ? "last layer" : layer.name}, map ${channel}`;
  $("lens-what").textContent = `${WHAT[layer.kind]} Press or drag on a picture to move the window; `
    + "arrow keys do it too.";
  $("lens-undo").disabled = !lens.past.length; $("lens-redo").disabled = !lens.future.length;
  $("lens-undo").hidden = $("lens-redo").hidden = flat;
  $("lens-map").max = layer.out - 1; $("lens-map").value = channel;
  $("lens-kernel-row").hidden = flat; $("lens-colour-row").hidden = layer.kind !== "stem";
  const shown = flat ? drawPointSum() : (drawWindowSum(), channelOfPatch());
  drawReads(shown); drawResponse(); drawField();
  $("lens-in-text").textContent = layer.kind === "stem" ? "what it reads: the picture, 224×224"
    : `what it reads: ${flat ? `${layer.n} maps; here map ${shown}, of ` : ""}${lens.side}×${lens.side}`;
  writeAddress();
}

// ---- by hand ----

function useOwn(own, name) {                 // a kernel by hand, or (own null) the learned one again
  lens.past.push([lens.own, lens.name]); lens.future = [];
  useKernel(own, name);
}
function backInLens(from, to) {
  if (!from.length) return;
  to.push([lens.own, lens.name]);
  useKernel(...from.pop());
}
const undoInLens = () => backInLens(lens.past, lens.future);
const redoInLens = () => backInLens(lens.future, lens.past);
function useKernel(own, name) {
  Object.assign(lens, { own, name, answer: null });
  if (name === "own" && ![...$("lens-kernel").options].some(o => o.value === "own"))
    $("lens-kernel").append(new Option("by hand", "own"));
  $("lens-kernel").value = name;
  drawLens();
}
function moveTo(at) { state.at = clamp(at, 0, lens.made.side ** 2 - 1); drawLens() }
function stopWalk() {
  clearInterval(lens.timer);
  lens.timer = 0;
  $("lens-walk").textContent = "▶ walk";
}
function walk() {
  if (lens.timer) { stopWalk(); return drawLens() }
  state.at = 0;
  $("lens-walk").textContent = "■ stop";
  lens.timer = setInterval(() => {
    if (state.at + 1 >= lens.made.side ** 2) { stopWalk(); return drawLens() }
    moveTo(state.at + 1);
  }, Math.max(30, 12000 / lens.made.side ** 2));
}
async function animate() {                   // the products of the next place, one after the other
  stopWalk();
  moveTo((state.at + 1) % lens.made.side ** 2);
  const tables = [...$("lens-sum").querySelectorAll("table")], at = state.at, pause = 110;
  if (!spatial() || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const [inside, weights, products] = [tables[0].querySelectorAll("td.in"), tables[1].querySelectorAll("td"),
    tables[2].querySelectorAll("td")], values = [...products].map(p => p.textContent);
  products.forEach(p => p.textContent = "");
  for (let i = 0; i < products.length && state.at === at && products[0].isConnected; i++) {
    const three = [inside[i], weights[i], products[i]];
    products[i].textContent = values[i];
    three.forEach(cell => cell?.classList.add("now"));
    await new Promise(resolve => setTimeout(resolve, pause));
    three.forEach(cell => cell?.classList.remove("now"));
  }
  products.forEach((p, i) => p.textContent = values[i]);
}
function connectLens() {
  const select = $("lens-kernel");
  select.append(new Option("learned", "learned"));
  for (const name of Object.keys(config.kernels)) select.append(new Option(name.replaceAll("_", " "), name));
  select.onchange = () => {
    if (select.value === "learned") return useOwn(null, "learned");
    const k = lens.layer.size, o = (k - 3) / 2, own = new Array(k * k).fill(0);
    if (select.value === "own") return;
    config.kernels[select.value].flat().forEach((v, i) => {
      own[(o + (i / 3 | 0)) * k + o + i % 3] = v / lens.reads.length;
    });
    useOwn(own, select.value);
  };
  $("lens-colour").onchange = () => drawLens();
  $("lens-map").onchange = e => {
    const c = e.target.valueAsNumber;
    if (Number.isInteger(c) && c >= 0 && c < lens.layer.out) openLens(lens.index, c, state.at);
    else e.target.value = lens.channel;
  };
  $("lens-undo").onclick = undoInLens; $("lens-redo").onclick = redoInLens;
  $("lens-walk").onclick = walk; $("lens-next").onclick = animate;
  $("lens-close").onclick = () => $("lens").close();
  $("lens").addEventListener("close", closeLens);
  for (const [id, stride] of [["lens-in", true], ["lens-out", false]]) {
    const canvas = $(id), move = e => {
      const [x, y] = place(e, canvas), side = lens.made.side,
        cells = stride ? lens.side / lens.layer.stride : side;
      stopWalk();
      moveTo(clamp(Math.floor(y * cells), 0, side - 1) * side + clamp(Math.floor(x * cells), 0, side - 1));
    };
    canvas.addEventListener("pointerdown", e => { canvas.setPointerCapture(e.pointerId); move(e) });
    canvas.addEventListener("pointermove", e => { if (e.buttons) move(e) });
    canvas.addEventListener("keydown", e => {
      const side = lens.made.side, row = state.at / side | 0, column = state.at % side;
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[e.key];
      if (!step) return;
      e.preventDefault();
      stopWalk();
      moveTo(clamp(row + step[0], 0, side - 1) * side + clamp(column + step[1], 0, side - 1));
    });
  }
}
