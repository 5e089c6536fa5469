// The kernel explorer: sliders for nine or 25 weights, the picture, the response, one pixel's sum, code.
// One script for the page without Python, for lessons, and for the widget in Jupyter: the convolution, the
// state and undo are here, so a drag asks no Python. `kernelExplorer` fills `root` and returns what others
// may use; `config` has kernels, paddings, colours and `most`, `changed` is called after every change.

// ---- the convolution: channels in [0,1], one signed map, cross-correlation as in F.conv2d ----

function padSource(i, n, mode) {             // index in the picture of padded index i, or -1 for a zero
  if (i >= 0 && i < n) return i;
  if (mode === "reflect") return i < 0 ? -i : 2 * n - 2 - i;
  if (mode === "replicate") return i < 0 ? 0 : n - 1;
  if (mode === "circular") return (i + n) % n;
  return -1;
}
function padPlane(plane, h, w, p, mode) {
  const H = h + 2 * p, W = w + 2 * p, out = new Float32Array(H * W);
  for (let y = 0; y < H; y++) {
    const sy = padSource(y - p, h, mode);
    if (sy < 0) continue;
    out.set(plane.subarray(sy * w, sy * w + w), y * W + p);
    for (let x = 0; x < p; x++) {
      const l = padSource(x - p, w, mode), r = padSource(w + x, w, mode);
      if (l >= 0) out[y * W + x] = plane[sy * w + l];
      if (r >= 0) out[y * W + p + w + x] = plane[sy * w + r];
    }
  }
  return out;
}
const padOf = state => state.padding === "none" ? 0 : (state.k - 1) / 2;
function padded(image, p, mode) {            // once for a picture and padding, not at every drag
  const key = `${p}/${mode}`;
  if (image.padded?.key !== key) {
    const planes = image.planes.map(c => p ? padPlane(c, image.h, image.w, p, mode) : c);
    const sum = new Float32Array(planes[0].length);
    for (const c of planes) for (let i = 0; i < c.length; i++) sum[i] += c[i];
    image.padded = { key, planes, sum };
  }
  return image.padded;
}
function convolve(image, { kernels, k, padding, stride, relu, shared }) {
  const p = padding === "none" ? 0 : (k - 1) / 2, W = image.w + 2 * p, pre = padded(image, p, padding);
  const h = Math.floor((image.h + 2 * p - k) / stride) + 1;
  const w = Math.floor((image.w + 2 * p - k) / stride) + 1;
  // one kernel for all channels is the kernel on their sum
  const out = new Float32Array(h * w), planes = shared ? [pre.sum] : pre.planes;
  planes.forEach((plane, c) => {
    for (let r = 0; r < k; r++) {            // a row of the kernel at a time
      const [a, b, d, e = 0, f = 0] = kernels[c].slice(r * k, r * k + k);
      if (!(a || b || d || e || f)) continue;
      for (let y = 0; y < h; y++) {
        let i = (y * stride + r) * W, to = y * w;
        const end = to + w;
        if (k === 3) for (; to < end; i += stride)
          out[to++] += a * plane[i] + b * plane[i + 1] + d * plane[i + 2];
        else for (; to < end; i += stride)
          out[to++] += a * plane[i] + b * plane[i + 1] + d * plane[i + 2] + e * plane[i + 3]
            + f * plane[i + 4];
      }
    }
  });
  if (relu) for (let i = 0; i < out.length; i++) if (out[i] < 0) out[i] = 0;
  return { h, w, data: out };
}
function weightSums({ kernels, shared }) {   // of all weights, and of them without their signs
  let sum = 0, total = 0;
  for (let c = 0; c < 3; c++)
    for (const v of kernels[shared ? 0 : c]) { sum += v; total += Math.abs(v) }
  return { sum, total };
}
// The value of the full colour: the response to white, and half of the largest possible one to contrasts
function colourLimit(state) {
  const { sum, total } = weightSums(state);
  return Math.max(Math.abs(sum) + (total - Math.abs(sum)) / 4, 1e-3);
}
const isNear = (a, b) => Math.abs(a - b) < 1e-4;
const whiteLevel = state => isNear(weightSums(state).sum, 1) ? 1 : 3; // shown as white in a picture
const showsPicture = state => state.colours === "automatic"           // weights that sum to 1 make one
  ? isNear(weightSums(state).sum, whiteLevel(state)) : state.colours === "as picture";

// ---- the kernel ----

function centred(kernel, k, around = null) { // 3×3 in the middle of `around`, or of zeros
  const out = around ? around.slice() : new Array(k * k).fill(0), o = (k - 3) / 2;
  kernel.forEach((v, i) => { out[(o + (i / 3 | 0)) * k + o + i % 3] = v });
  return out;
}
const innerOf = kernel => [6, 7, 8, 11, 12, 13, 16, 17, 18].map(i => kernel[i]);     // of 25 weights
const kernelTurns = {
  flip: (a, k) => a.map((_, i) => a[(i / k | 0) * k + k - 1 - i % k]),
  rotate: (a, k) => a.map((_, i) => a[(k - 1 - i % k) * k + (i / k | 0)]),
  negate: a => a.map(v => -v || 0),
  normalise: a => {
    const sum = a.reduce((x, y) => x + y, 0), positive = a.reduce((x, y) => x + Math.max(y, 0), 0);
    const total = Math.abs(sum) > 1e-6 ? sum : positive || 1;
    return a.map(v => v / total);
  },
};

// State as text for an address: only what differs from the beginning, as name:value;name:value
const KEPT = ["size", "padding", "stride", "relu", "shared", "colours", "channel"];
function stateText(state, config) {
  const now = { ...state, size: state.k, relu: +state.relu, shared: +state.shared };
  const first = { size: 3, padding: "zeros", stride: 1, relu: 0, shared: 1, colours: "automatic",
    channel: 0 };
  const parts = state.preset === config.preset ? [] : [`preset:${state.preset}`];
  for (const name of KEPT)
    if (now[name] !== first[name]) parts.push(`${name}:${String(now[name]).replaceAll(" ", "+")}`);
  const plain = centred(config.kernels[state.preset].flat(), state.k);
  const lists = state.shared ? state.kernels.slice(0, 1) : state.kernels;
  if (lists.some(list => list.some((v, i) => v !== plain[i])))
    parts.push(`weights:${lists.flat().map(v => +v.toPrecision(7)).join("_")}`);
  return parts.join(";");
}
// Only what makes sense is taken over: an address may come from anywhere.
function textState(text, config) {
  const given = Object.fromEntries(String(text).split(";").map(part => part.split(":")));
  const among = (name, list, otherwise) => {
    const value = (given[name] ?? "").replaceAll("+", " ");
    return list.map(String).includes(value) ? list[list.map(String).indexOf(value)] : otherwise;
  };
  const preset = among("preset", Object.keys(config.kernels), config.preset), k = among("size", [3, 5], 3);
  const shared = given.shared !== "0", count = shared ? 1 : 3;
  let lists = new Array(count).fill(centred(config.kernels[preset].flat(), k));
  const numbers = (given.weights ?? "").split("_").map(Number);
  if (given.weights && numbers.length === count * k * k && numbers.every(v => Math.abs(v) <= config.most))
    lists = lists.map((_, c) => numbers.slice(c * k * k, (c + 1) * k * k));
  return { k, preset, shared, relu: given.relu === "1", stride: among("stride", [1, 2, 3, 4], 1),
    padding: among("padding", config.paddings, "zeros"),
    colours: among("colours", ["automatic", "signed", "as picture"], "automatic"),
    channel: shared ? 0 : among("channel", [0, 1, 2], 0),
    kernels: [0, 1, 2].map(c => lists[shared ? 0 : c].slice()), outer: null };
}

// ---- the page's parts ----

function part(name, properties = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(properties))
    if (/^(aria-|data-|role$|for$)/.test(key)) e.setAttribute(key, value);
    else e[key] = value;
  e.append(...children);
  return e;
}
function kernelParts(id, config) {           // all that is in `root`
  const head = `h${config.level ?? 2}`, row = (...children) => part("div", { className: "row" }, ...children);
  const section = (name, title, ...children) => part("section",
    { id: id(name), className: name, "aria-labelledby": id(`${name}-title`) },
    part(head, { id: id(`${name}-title`) }, title), ...children);
  const view = (name, label) => part("div", { className: "view" },
    part("canvas", { id: id(name), tabIndex: 0, role: "img", "aria-label": label }),
    part("div", { className: "mark", id: id(`${name}-mark`) }));
  const menu = (name, label, options) => part("label", {}, `${label} `, part("select", { id: id(name) },
    ...options.map(o => part("option", { value: o }, String(o).replaceAll("_", " ")))));
  const box = (name, label, checked) => part("label", {},
    part("input", { id: id(name), type: "checkbox", checked }), ` ${label}`);
  const said = name => part("div", { id: id(name), className: "message", role: "status" });
  const button = (name, label = name) => part("button", { type: "button", "data-do": name }, label);
  const sizes = menu("size", "Size", [3, 5]);
  for (const o of sizes.querySelectorAll("option")) o.textContent = `${o.value}×${o.value}`;
  const picture = section("picture", "Picture",
    view("in", "The picture. A frame marks what the kernel reads; arrow keys move it."),
    row(part("label", {}, "Your own ", part("input", { id: id("file"), type: "file", accept: "image/*" }))),
    said("file-message"));
  const result = section("result", "Response",
    view("out", "The response. A frame marks the chosen pixel; arrow keys move it."),
    part("div", { className: "bar", id: id("bar") }),
    part("div", { className: "ends" }, part("span", { id: id("low") }), part("span", { id: id("middle") }),
      part("span", { id: id("high") })));
  const controls = section("controls", "Kernel",
    row(menu("preset", "Preset", Object.keys(config.kernels)), sizes),
    part("div", { className: "row tabs", id: id("tabs"), role: "group",
      "aria-label": "Channel whose weights are shown" }),
    part("div", { className: "grid", id: id("grid") }), said("message"),
    row(...["flip", "rotate", "negate", "normalise", "reset", "undo", "redo"].map(name => button(name))),
    row(box("shared", "one kernel for all channels", true)),
    row(menu("padding", "Padding", config.paddings), menu("stride", "Stride", [1, 2, 3, 4])),
    row(box("relu", "ReLU: negative values become 0", false)),
    row(menu("colours", "Colours", ["automatic", "signed", "as picture"])),
    part("p", { id: id("shape") }));
  const sums = section("one", "One pixel of the response",
    part("div", { id: id("sums"), className: "sums" }));
  const code = section("same", "The same in PyTorch", part("pre", { id: id("code"), tabIndex: 0,
    "aria-label": "code" }), part("button", { type: "button", id: id("copy") }, "copy"));
  return part("div", { className: "all" }, part("div", { className: "views" }, result, picture), controls,
    sums, code, part("div", { id: id("said"), className: "unseen", role: "status" }));
}

function kernelExplorer(root, config, changed = () => {}) {
  const prefix = config.prefix ?? "", found = {}, id = name => prefix + name;
  const $ = name => found[name] ??= root.querySelector(`#${id(name)}`);
  const CHANNELS = ["red", "green", "blue"], MOST = config.most;
  const LUT = Uint32Array.from(config.colours, ([r, g, b]) => (255 << 24 | b << 16 | g << 8 | r) >>> 0);
  const SIGNED = config.colours.filter((_, i) => i % 51 === 0).map(c => `rgb(${c})`).join(",");
  root.classList.add("shipviz-kernel");
  root.replaceChildren(kernelParts(id, config));

  const state = { ...textState(config.state ?? "", config), at: null, ...config.start };
  let image = null, result = null, buffer = null, queued = false;
  const history = { past: [], future: [], gesture: null };

  // ---- undo ----

  const snapshot = () => JSON.stringify({ ...state, at: null });
  function remember(gesture = null) {        // before a change; the moves of one drag are one change
    if (gesture !== null && gesture === history.gesture) return;
    history.gesture = gesture;
    history.past.push(snapshot());
    if (history.past.length > 200) history.past.shift();
    history.future = [];
  }
  function back(from, to, word) {
    if (!from.length) return;
    to.push(snapshot());
    history.gesture = null;
    Object.assign(state, JSON.parse(from.pop()), { at: state.at });
    refresh();
    $("said").textContent = word;
  }
  const undo = () => back(history.past, history.future, "undone");
  const redo = () => back(history.future, history.past, "done again");
  function refresh() {                       // everything follows the state
    for (const name of ["preset", "padding", "stride", "colours"]) $(name).value = state[name];
    $("size").value = state.k;
    $("shared").checked = state.shared; $("relu").checked = state.relu;
    $("message").textContent = "";
    if ($("grid").children.length !== state.k ** 2) cells();
    for (const slider of $("grid").querySelectorAll("[type=range]")) { slider.min = -2; slider.max = 2 }
    show(); later();
  }

  // ---- drawing ----

  const number = v => String(+v.toFixed(4)), exact = v => String(+v.toPrecision(7));
  function draw() {
    queued = false;
    if (!image) return;
    result = convolve(image, state);
    const out = $("out"), context = out.getContext("2d"), scale = colourLimit(state);
    if (out.width !== result.w || out.height !== result.h || !buffer) {
      out.width = result.w; out.height = result.h;
      buffer = context.createImageData(result.w, result.h);
      shapeOf(out);
    }
    const pixels = new Uint32Array(buffer.data.buffer), { data } = result;
    const grey = showsPicture(state), top = whiteLevel(state), g = 255 / top, f = 255 / scale;
    if (grey) for (let i = 0; i < pixels.length; i++)
      pixels[i] = (255 << 24 | Math.max(0, Math.min(255, Math.round(data[i] * g))) * 0x10101) >>> 0;
    else for (let i = 0; i < pixels.length; i++)
      pixels[i] = LUT[Math.max(0, Math.min(510, Math.round(255 + data[i] * f)))];
    context.putImageData(buffer, 0, 0);
    $("bar").style.background = `linear-gradient(to right, ${grey ? "black, white" : SIGNED})`;
    const most = +scale.toPrecision(3), ends = grey ? ["0", top / 2, top] : [`−${most}`, "0", most];
    ["low", "middle", "high"].forEach((name, i) => { $(name).textContent = ends[i] });
    const length = n => `⌊(${n} + 2·${padOf(state)} − ${state.k}) / ${state.stride}⌋ + 1`;
    $("shape").textContent = `${result.h} rows = ${length(image.h)}; ${result.w} columns = `
      + length(image.w);
    drawWindow(); writeCode();
  }
  function later() {                         // a drag faster than the screen draws its last position only
    changed(api);
    if (!image || queued) return;
    queued = true;
    requestAnimationFrame(settle);
  }
  function settle() { if (queued) draw() }   // before a place is chosen: the response may have changed size
  function shapeOf(canvas) {                 // its height follows from the room that there is
    canvas.parentElement.style.setProperty("--aspect", canvas.width / canvas.height);
  }
  function mark(name, y, x, h, w) {          // a frame around pixels of a canvas
    const { width, height } = $(name), style = $(`${name}-mark`).style;
    style.left = `${100 * x / width}%`; style.top = `${100 * y / height}%`;
    style.width = `${100 * w / width}%`; style.height = `${100 * h / height}%`;
  }
  function readAt(channel, y, x) {
    y = padSource(y, image.h, state.padding); x = padSource(x, image.w, state.padding);
    return y < 0 || x < 0 ? 0 : image.planes[channel][y * image.w + x];
  }
  function drawWindow() {
    state.at ??= [result.h >> 1, result.w >> 1];
    const [r, c] = state.at = [Math.min(state.at[0], result.h - 1), Math.min(state.at[1], result.w - 1)];
    const { k, stride, shared, relu } = state, p = padOf(state), y0 = r * stride - p, x0 = c * stride - p;
    mark("in", y0, x0, k, k); mark("out", r, c, 1, 1);
    const channel = shared ? null : state.channel, weights = state.kernels[channel ?? 0];
    const each = [0, 1, 2].map(ch => weights.map((_, i) => readAt(ch, y0 + (i / k | 0), x0 + i % k)));
    const pixels = weights.map((_, i) => shared ? each[0][i] + each[1][i] + each[2][i] : each[channel][i]);
    const products = pixels.map((v, i) => v * weights[i]), total = products.reduce((a, b) => a + b, 0);
    const all = each.reduce((sum, values, ch) =>
      sum + values.reduce((s, v, i) => s + v * state.kernels[shared ? 0 : ch][i], 0), 0);
    const rest = shared ? "" : ` (this channel; the three channels' sums add up to ${all.toFixed(3)})`;
    const after = relu && all < 0 ? [", after ReLU ", part("b", {}, "0")] : [];
    $("sums").replaceChildren(part("div", {}, `row ${r}, column ${c}`),
      table(pixels, shared ? "pixels, red + green + blue" : `pixels, ${CHANNELS[channel]}`), "×",
      table(weights, "weights"), "=", table(products, "products"),
      part("div", {}, "sum ", part("b", {}, total.toFixed(3)), rest, ...after));
  }
  function table(values, name) {
    const rows = Array.from({ length: state.k }, (_, y) => part("tr", {},
      ...values.slice(y * state.k, y * state.k + state.k).map(v => part("td", {}, v.toFixed(2)))));
    return part("div", {}, name, part("table", {}, part("tbody", {}, ...rows)));
  }
  function writeCode() {
    const { k, padding, stride } = state, p = (k - 1) / 2;
    const matrix = w => `[${Array.from({ length: k }, (_, y) =>
      `[${w.slice(y * k, y * k + k).map(exact).join(", ")}]`).join(", ")}]`;
    const kernel = state.shared
      ? `k = torch.tensor(${matrix(state.kernels[0])}, dtype=torch.float).expand(1, 3, ${k}, ${k})`
      : `k = torch.tensor([${state.kernels.map(matrix).join(",\n    ")}], dtype=torch.float)[None]`;
    const x = padding === "none" || padding === "zeros" ? "x"
      : `F.pad(x, (${p}, ${p}, ${p}, ${p}), mode='${padding}')`;
    const call = `F.conv2d(${x}, k, stride=${stride}${padding === "zeros" ? `, padding=${p}` : ""})`;
    $("code").textContent =
      `import torch, torch.nn.functional as F   # x is (1, 3, ${image.h}, ${image.w}), with values in 0..1\n`
      + `${kernel}\ny = ${call}${state.relu ? ".relu()" : ""}   # (1, 1, ${result.h}, ${result.w})`;
  }

  // ---- weights ----

  function weigh(i, v, control) {
    remember(control);
    const list = state.shared ? [0, 1, 2] : [state.channel];
    for (const c of list) state.kernels[c][i] = v;
    show(control); later();
  }
  function typed(i, name, input) {
    const v = input.valueAsNumber, fits = Math.abs(v) <= MOST;     // false for what is no number
    input.setAttribute("aria-invalid", !fits);
    $("message").textContent = fits ? "" : `${name}: a number from −${MOST} to ${MOST} is wanted. `
      + `It stays at ${number(state.kernels[state.channel][i])}.`;
    if (fits) weigh(i, v, input);
  }
  // A finger that scrolls the page begins on a slider too: until it has moved sideways, or was lifted, the
  // weight stays.
  function slides(i, slider) {
    let touch = null;
    const stays = () => { slider.value = state.kernels[state.channel][i] };
    slider.addEventListener("pointerdown", e => {
      touch = e.pointerType === "touch" ? { x: e.clientX, y: e.clientY, moves: false, far: 0 } : null;
    });
    slider.addEventListener("pointermove", e => {
      if (!touch || touch.moves) return;
      const x = Math.abs(e.clientX - touch.x), y = Math.abs(e.clientY - touch.y);
      touch.far = Math.max(touch.far, x, y);
      touch.moves = x > 6 && x > y;
    });
    slider.addEventListener("input", () => {
      if (touch && !touch.moves) return;
      weigh(i, slider.valueAsNumber, slider);
    });
    slider.addEventListener("pointerup", () => {
      if (!touch) return;
      if (!touch.moves && touch.far < 10) weigh(i, slider.valueAsNumber, slider);      // a tap
      touch = null; stays();
    });
    slider.addEventListener("pointercancel", () => {
      if (touch?.moves && history.gesture === slider) { undo(); history.future.pop(); show() }
      touch = null; stays();
    });
    slider.addEventListener("change", () => { history.gesture = null; if (!touch) show() });
  }
  function cells() {
    const k = state.k;
    $("grid").style.gridTemplateColumns = `repeat(${k}, minmax(0, 1fr))`;
    $("grid").replaceChildren(...Array.from({ length: k * k }, (_, i) => {
      const name = `weight row ${(i / k | 0) + 1} column ${i % k + 1}`;
      const field = part("input", { type: "number", step: .1, min: -MOST, max: MOST, "aria-label": name });
      const slider = part("input", { type: "range", min: -2, max: 2, step: .01,
        "aria-label": `${name}, slider` });
      field.addEventListener("input", () => typed(i, name, field));
      field.addEventListener("change", () => {             // left: what was refused goes
        field.setAttribute("aria-invalid", false);
        history.gesture = null; show();
      });
      slides(i, slider);
      return part("div", { className: "cell" }, field, slider);
    }));
  }
  function show(except) {                    // numbers, sliders and colours of the chosen channel
    const kernel = state.kernels[state.channel], top = Math.max(1e-9, ...kernel.map(Math.abs)),
      span = Math.max(2, Math.ceil(top));
    [...$("grid").children].forEach((cell, i) => {
      const v = kernel[i], [field, slider] = cell.children, share = Math.round(38 * Math.abs(v) / top);
      if (field !== except) field.value = number(v);
      if (slider !== except) {
        if (slider.max < span) { slider.min = -span; slider.max = span }
        slider.value = v;
      }
      cell.style.background = `color-mix(in srgb, var(--${v < 0 ? "neg" : "pos"}) ${share}%, transparent)`;
    });
    const tabs = state.shared ? [] : CHANNELS, now = $("tabs").children;
    if (now.length !== tabs.length) $("tabs").replaceChildren(...tabs.map((name, c) => {
      const button = part("button", { type: "button" }, name);
      button.onclick = () => { state.channel = c; show(); later() };
      return button;
    }));
    [...now].forEach((b, c) => b.setAttribute("aria-pressed", c === state.channel));
    root.querySelector("[data-do=undo]").disabled = !history.past.length;
    root.querySelector("[data-do=redo]").disabled = !history.future.length;
  }
  function load(preset) {
    remember();
    const kernel = centred(config.kernels[preset].flat(), state.k);
    Object.assign(state, { preset, outer: null, kernels: [0, 1, 2].map(() => kernel.slice()) });
    refresh();
  }
  function resize(k) {                       // the kernel stays: in the middle of zeros, or its middle
    if (k === state.k) return;
    remember();
    const { kernels, outer } = state;
    if (k === 5) state.kernels = kernels.map((w, c) => centred(w, 5, outer?.[c]));
    else state.kernels = kernels.map(innerOf);
    state.outer = k === 3 ? kernels : null;
    const size = list => list.flat().reduce((sum, v) => sum + Math.abs(v), 0);
    const lost = k === 3 && size(kernels) - size(state.kernels) > 1e-9;
    state.k = k;
    refresh();
    if (lost) $("message").textContent = "The outer weights are left out. 5×5 brings them back.";
  }
  function turn(name) {
    remember();
    const list = state.shared ? [0, 1, 2] : [state.channel];
    for (const c of list) state.kernels[c] = kernelTurns[name](state.kernels[c], state.k);
    refresh();
  }
  const choose = (name, value) => { remember(); state[name] = value; refresh() };
  root.addEventListener("click", e => {
    const name = e.target.closest?.("[data-do]")?.dataset.do;
    if (!name) return;
    if (name === "undo") undo(); else if (name === "redo") redo();
    else if (name === "reset") load(state.preset); else turn(name);
  });
  $("preset").onchange = e => load(e.target.value);
  $("size").onchange = e => resize(+e.target.value);
  $("shared").onchange = e => {
    remember();
    const shown = state.kernels[state.channel];
    Object.assign(state, { shared: e.target.checked, channel: 0, outer: null });
    state.kernels = [0, 1, 2].map(() => shown.slice());
    refresh();
  };
  $("padding").onchange = e => choose("padding", e.target.value);
  $("stride").onchange = e => {              // the same place in a response of another size
    const f = state.stride / +e.target.value;
    if (state.at) state.at = state.at.map(v => Math.floor((v + .5) * f));
    choose("stride", +e.target.value);
  };
  $("colours").onchange = e => choose("colours", e.target.value);
  $("relu").onchange = e => choose("relu", e.target.checked);

  // ---- pointing, and keys ----

  function point(canvas, e) {
    const box = canvas.getBoundingClientRect();
    const at = (v, low, length, cells) => {
      const i = Math.floor((v - low) / length * canvas[cells]);
      // in the picture: the window that has this pixel in its middle
      const own = canvas === $("in")
        ? Math.round((i + padOf(state) - (state.k - 1) / 2) / state.stride) : i;
      return Math.max(0, Math.min(result[cells === "width" ? "w" : "h"] - 1, own));
    };
    moveTo(at(e.clientY, box.top, box.height, "height"), at(e.clientX, box.left, box.width, "width"));
  }
  function moveTo(row, column) {
    if (state.at?.[0] === row && state.at[1] === column) return;
    state.at = [row, column];
    drawWindow(); changed(api);
  }
  for (const canvas of [$("in"), $("out")]) {
    const pointed = e => { settle(); if (result) point(canvas, e) };
    canvas.addEventListener("pointermove", e => { if (e.pointerType !== "touch") pointed(e) });
    canvas.addEventListener("click", pointed);               // a finger that scrolls does not click
  }
  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  // true if the explorer has used the key
  function key(e) {
    const letter = e.key.toLowerCase();
    if ((e.ctrlKey || e.metaKey) && (letter === "z" || letter === "y")) {
      if (letter === "y" || e.shiftKey) redo(); else undo();
      return true;
    }
    const move = ARROWS[e.key];
    if (!move || !result || e.target !== $("in") && e.target !== $("out")) return false;
    settle();
    moveTo(Math.max(0, Math.min(result.h - 1, state.at[0] + move[0])),
      Math.max(0, Math.min(result.w - 1, state.at[1] + move[1])));
    $("said").textContent = [...$("sums").children].filter(c => c.tagName === "DIV").map(c => c.textContent)
      .filter(t => /^(row|sum)/.test(t)).join(", ");
    return true;
  }
  $("copy").onclick = async () => {
    try { await navigator.clipboard.writeText($("code").textContent) }
    catch {
      const range = document.createRange();
      range.selectNodeContents($("code"));
      getSelection().removeAllRanges(); getSelection().addRange(range);
      document.execCommand("copy");
    }
    $("copy").textContent = "copied";
    setTimeout(() => { $("copy").textContent = "copy" }, 1200);
  };

  // ---- the picture ----

  function use(source) {                     // reduced; transparent parts on white, as `open_picture` does
    const f = Math.min(1, config.size / Math.max(source.width, source.height)),
      w = Math.round(source.width * f), h = Math.round(source.height * f);
    if (Math.min(w, h) < 8)
      throw new Error(`a picture of ${w}×${h} pixels is too small to explore: 8 a side are the least`);
    const canvas = $("in"), context = canvas.getContext("2d", { willReadFrequently: true });
    canvas.width = w; canvas.height = h;
    context.fillStyle = "#fff"; context.fillRect(0, 0, w, h);
    context.drawImage(source, 0, 0, w, h);
    const pixels = context.getImageData(0, 0, w, h).data;
    const planes = [0, 1, 2].map(c =>
      Float32Array.from({ length: w * h }, (_, i) => pixels[4 * i + c] / 255));
    image = { w, h, planes };
    shapeOf(canvas);
    state.at = null; buffer = null;
    later();
  }
  function open(address) {
    const photo = new Image();
    photo.onload = () => { photo.onload = null; use(photo) };
    photo.src = address;
  }
  $("file").onchange = async e => {
    const file = e.target.files[0];
    if (!file) return;
    let bitmap, why = "";
    try { bitmap = await createImageBitmap(file) } catch { why = "this browser can't read it as a picture" }
    if (bitmap) try { use(bitmap); api.own?.($("in").toDataURL()) } catch (e) { why = e.message }
    $("file-message").textContent = why && `${file.name}: ${why}`;
  };

  const api = { state, draw, later, undo, redo, key, use, open, limit: colourLimit, history,
    get image() { return image }, get result() { return result },
    get text() { return stateText(state, config) },
    set text(value) { if (value !== this.text) set(textState(value, config)) } };
  function set(values) {                     // from an address, or from Python
    remember();
    Object.assign(state, values);
    refresh();
  }
  api.set = set;
  cells(); refresh();
  return api;
}
