// What every screen uses: the configuration, state and address, colours, small helpers, and the network's
// other side.
"use strict";
const $ = id => document.getElementById(id);
const config = JSON.parse($("config").textContent);
const SIDE = 224, CELLS = 7;                 // the network sees 224×224 pixels and ends with 7×7 places
const clamp = (v, low, high) => Math.max(low, Math.min(high, v));
const percent = v => `${(100 * v).toFixed(v > .0995 ? 0 : 1)} %`;
const minus = text => String(text).replaceAll("-", "−");
function fixed(v, digits = 2) {
  if (!(Math.abs(v) < 1e5)) return minus(v.toExponential(1));
  return minus((Math.abs(v) < .5 * 10 ** -digits ? 0 : v).toFixed(digits));
}

// Bytes from base 85, as `_text` in network_page.py writes it: five signs for four bytes, the last group
// may be shorter.
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%.()*+-;,=>?@^_`{|}~";
function bytes(id) {
  const text = $(id).textContent, value = new Uint8Array(128), groups = Math.ceil(text.length / 5);
  for (let i = 0; i < 85; i++) value[DIGITS.charCodeAt(i)] = i;
  const view = new DataView(new ArrayBuffer(4 * groups));
  for (let g = 0; g < groups; g++) {
    let number = 0;
    for (let i = 5 * g; i < 5 * g + 5; i++)
      number = number * 85 + (i < text.length ? value[text.charCodeAt(i)] : 84);
    view.setUint32(4 * g, number);
  }
  return new Uint8Array(view.buffer, 0, Math.floor(text.length * 4 / 5));
}

function element(name, properties = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(properties))
    if (key.startsWith("aria-") || key.startsWith("data-") || key === "scope") e.setAttribute(key, value);
    else e[key] = value;
  e.append(...children);
  return e;
}

function say(text) { $("said").textContent = text }                  // to a screen reader
function trouble(text) { $("trouble").textContent = text }

function surface(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width; canvas.height = height;
  return canvas;
}
const paper = canvas => canvas.getContext("2d", { willReadFrequently: true });

// At most one call a frame, however often it is asked for
function eachFrame(f) {
  let asked = false;
  return () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; f() }) } };
}

// ---- state, and the part of it that stands in the address ----

const state = {
  screen: "look", picture: 0, head: "imagenet", a: null, b: null, split: 50, heat: true, outline: false,
  layer: null, map: 0, at: 0, kernel: null,
};
const SCREENS = ["look", "how", "game", "learn", "kernels"];
const FIRST = { ...state };

function writeAddress() {
  const parts = [state.screen];
  for (const [key, value] of Object.entries(state))
    if (key !== "screen" && value !== FIRST[key] && value !== null)
      parts.push(`${key}=${Number(value) || value}`);
  const hash = `#${parts.join("&")}`;
  if (hash !== location.hash) history.replaceState(null, "", hash);
}

// Only what makes sense is taken over: an address may come from anywhere.
function readAddress() {
  const [screen, ...parts] = location.hash.slice(1).split("&"),
    given = Object.fromEntries(parts.map(p => p.split("=")));
  const whole = (key, below) => /^\d+$/.test(given[key]) && +given[key] < below ? +given[key] : FIRST[key];
  state.screen = SCREENS.includes(screen) ? screen : "look";
  if (!parts.length) return;
  if ("picture" in given || state.picture !== null) state.picture = whole("picture", config.pictures.length);
  state.head = given.head === "ships" ? "ships" : "imagenet";
  const classes = names().length;
  state.a = whole("a", classes); state.b = whole("b", classes); state.split = whole("split", 101);
  state.heat = given.heat !== "false"; state.outline = given.outline === "1";
  state.layer = whole("layer", config.told.layers.length - 1);
  state.map = whole("map", state.layer === null ? 1 : config.told.layers[state.layer].out);
  state.at = whole("at", SIDE * SIDE);
  state.kernel = /^[\w:;.+-]{1,2000}$/.test(given.kernel) ? given.kernel : null;
}
const names = () => state.head === "ships" ? config.ships : config.names;

// ---- colours ----

const HEAT = config.heat, SIGNED = config.signed;       // 256 and 511 colours, as the library draws them
const words = list => Uint32Array.from(list, ([r, g, b]) => (255 << 24 | b << 16 | g << 8 | r) >>> 0);
const SIGNED_WORDS = words(SIGNED);

// A map of numbers as a grey picture, black at `dark` and white at `light`
function drawGrey(canvas, values, width, height, dark, light) {
  canvas.width = width; canvas.height = height;
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer), f = 255 / (light - dark);
  for (let i = 0; i < pixels.length; i++)
    pixels[i] = (255 << 24 | clamp(Math.round((values[i] - dark) * f), 0, 255) * 0x10101) >>> 0;
  context.putImageData(image, 0, 0);
}
// A map of numbers as a picture: orange below zero, white at zero, purple above
function drawSigned(canvas, values, width, height, limit) {
  canvas.width = width; canvas.height = height;
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer), f = 255 / limit;
  for (let i = 0; i < pixels.length; i++)
    pixels[i] = SIGNED_WORDS[clamp(Math.round(255 + values[i] * f), 0, 510)];
  context.putImageData(image, 0, 0);
}
const largest = values => values.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-6);
function cellColour(cell, value, limit) {
  const colour = SIGNED[clamp(Math.round(255 + 255 * value / limit), 0, 510)];
  const [r, g, b] = colour.map(v => v < 10 ? v / 3295 : ((v / 255 + .055) / 1.055) ** 2.4);
  cell.style.background = `rgb(${colour})`;
  // contrast above 4.5 either way
  cell.style.color = .2126 * r + .7152 * g + .0722 * b > .179 ? "#000" : "#fff";
}

// ---- the network ----

const network = { ready: null, layers: null, ints: null, floats: null, head: null, waiting: new Map(),
  count: 0 };
network.ask = (what, content, give = []) => new Promise((resolve, reject) => {
  const id = ++network.count;
  network.waiting.set(id, { resolve, reject });
  network.worker.postMessage({ id, what, content }, give);
});
network.boot = async () => {
  if (!window.WebAssembly || !window.DecompressionStream || !window.Worker)
    throw new Error("this browser is too old for it: one of the year 2023 or later is needed");
  const script = new Blob([$("worker").textContent], { type: "text/javascript" });
  network.worker = new Worker(URL.createObjectURL(script));
  network.worker.onmessage = ({ data: { id, result, error } }) => {
    const { resolve, reject } = network.waiting.get(id);
    network.waiting.delete(id);
    if (error) reject(new Error(error)); else resolve(result);
  };
  const wasm = bytes("wasm"), weights = bytes("weights");
  const found = await network.ask("boot", { wasm, weights, told: config.told },
    [wasm.buffer, weights.buffer]);
  $("weights").remove();
  Object.assign(network, found);
  network.head = network.floats.subarray(-(config.ships.length * 1281));
};

// The weights of one output channel of a layer, its bias last
function kernelOf(layer, channel) {
  const { n, out, ints, floats } = layer, step = network.floats[floats + channel];
  const w = new Float32Array(n + 1);
  for (let i = 0; i < n; i++) w[i] = network.ints[ints + channel * n + i] * step;
  w[n] = network.floats[floats + out + channel];
  return w;
}
const rows = { imagenet: new Map(), ships: new Map() };
function classRow(head, k) {                 // 1280 weights and a bias
  if (!rows[head].has(k)) {
    const { head: h } = network, bias = config.ships.length * 1280;
    rows[head].set(k, head === "imagenet" ? kernelOf(network.layers.at(-1), k)
      : Float32Array.of(...h.subarray(k * 1280, k * 1280 + 1280), h[bias + k]));
  }
  return rows[head].get(k);
}

// What the last maps say: means over all places, and with them logits and probabilities of both heads
class Result {
  constructor({ maps, n, side, ms }) {
    Object.assign(this, { maps, n, side, ms, heats: new Map(), said: {} });
    this.means = new Float32Array(1280);
    for (let c = 0; c < 1280; c++) {
      let sum = 0;
      for (let i = c * n, end = i + side * side; i < end; i++) sum += maps[i];
      this.means[c] = sum / (side * side);
    }
  }
  logits(head) {
    const count = head === "ships" ? config.ships.length : config.names.length, z = new Float32Array(count);
    for (let k = 0; k < count; k++) {
      const w = classRow(head, k);
      let sum = w[1280];
      for (let c = 0; c < 1280; c++) sum += w[c] * this.means[c];
      z[k] = sum;
    }
    return z;
  }
  probabilities(head) {
    if (!this.said[head]) {
      const z = this.logits(head), most = Math.max(...z), e = z.map(v => Math.exp(v - most));
      const sum = e.reduce((a, b) => a + b);
      this.said[head] = e.map(v => v / sum);
    }
    return this.said[head];
  }
  order(head) {
    const p = this.probabilities(head);
    return [...p.keys()].sort((i, j) => p[j] - p[i]);
  }
  // Behind pooling and one linear layer, Grad-CAM is ReLU(W·A): no gradient need be computed.
  heat(head, k) {
    const key = `${head} ${k}`;
    if (!this.heats.has(key)) {
      const cells = this.side * this.side, map = new Float32Array(cells), w = classRow(head, k);
      for (let c = 0; c < 1280; c++)
        for (let i = 0; i < cells; i++) map[i] += w[c] * this.maps[c * this.n + i];
      this.heats.set(key, map.map(v => Math.max(v, 0)));
    }
    return this.heats.get(key);
  }
}

// A small square map at another size, each cell's value staying at the cell's centre
function enlarge(map, side, width, height = width) {
  const out = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const v = clamp((y + .5) * side / height - .5, 0, side - 1), r = Math.min(v | 0, side - 2), dy = v - r;
    for (let x = 0; x < width; x++) {
      const u = clamp((x + .5) * side / width - .5, 0, side - 1), c = Math.min(u | 0, side - 2),
        dx = u - c, i = r * side + c;
      out[y * width + x] = (map[i] * (1 - dx) + map[i + 1] * dx) * (1 - dy)
        + (map[i + side] * (1 - dx) + map[i + side + 1] * dx) * dy;
    }
  }
  return out;
}
function energyIn(map, mask) {               // the share of the heat that lies on the mask, 224×224
  const heat = enlarge(map, CELLS, SIDE);
  let inside = 0, all = 0;
  for (let i = 0; i < heat.length; i++) { all += heat[i]; if (mask[i]) inside += heat[i] }
  return all > 0 ? inside / all : NaN;
}
function hottest(map) {                      // index, and in words where
  const i = map.indexOf(Math.max(...map)), third = v => v < 2 ? 0 : v < 5 ? 1 : 2;
  const row = ["top", "middle", "bottom"][third(i / CELLS | 0)],
    column = ["left", "centre", "right"][third(i % CELLS)];
  return { i, where: row === "middle" && column === "centre" ? "middle" : `${row} ${column}` };
}
const HEAT_SIDE = 112;
function heatImage(map) {                    // colours that let the picture through where it is cold
  const canvas = surface(HEAT_SIDE, HEAT_SIDE), context = canvas.getContext("2d");
  const image = context.createImageData(HEAT_SIDE, HEAT_SIDE), most = Math.max(...map) || 1;
  enlarge(map, CELLS, HEAT_SIDE).forEach((v, i) => {
    const u = v / most, [r, g, b] = HEAT[Math.round(255 * u)];
    image.data.set([r, g, b, 60 + 150 * u], 4 * i);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}
