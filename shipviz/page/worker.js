// The network, in a thread of its own. Messages in: { boot } once, { run }, { layer }; each is answered
// under its id.
"use strict";
const SIDE = 224;                            // the network sees 224×224 pixels
const padded = n => (n + 7) & ~7;            // a plane takes whole blocks of eight numbers
const memory = new WebAssembly.Memory({ initial: 1 });
let engine, numbers, layers, head, spaces, kept = [];

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

// Weights as whole numbers and steps become floats in the engine's memory, each layer in the order its loop
// wants.
async function boot({ wasm, weights, told }) {
  const raw = await inflate(weights), whole = new Int8Array(raw, 0, told.floats);
  const floats = new Float32Array(raw, told.floats), ints = new Int16Array(told.high);
  for (let i = 0; i < told.high; i++) ints[i] = whole[i];
  engine = (await WebAssembly.instantiate(wasm, { env: { memory } })).instance.exports;
  const convolutions = told.layers.filter(l => l.kind !== "linear");
  const largest = 96 * padded(SIDE * SIDE / 4), pictures = 3 * SIDE * SIDE,
    scratch = 3 * (SIDE + 8) * (SIDE + 24);
  const forWeights = convolutions.reduce((sum, l) => sum + padded(l.out * l.n) + padded(l.out), 0);
  const wanted = forWeights + 3 * largest + pictures + scratch;
  const start = Math.ceil(engine.__heap_base.value / 64) * 16;            // in floats
  memory.grow(Math.ceil((start + wanted) / 16384));
  numbers = new Float32Array(memory.buffer);
  let end = start, i = 0, f = 0, high = told.high;
  const take = n => { const at = end; end += padded(n); return at };
  layers = told.layers.map(l => {
    const layer = { ...l, ints: i, floats: f };
    i += l.out * l.n; f += 2 * l.out;
    if (l.wide) for (let j = layer.ints; j < i; j++) ints[j] += 256 * whole[high++];
    if (l.kind === "linear") return layer;
    layer.w = take(l.out * l.n); layer.b = take(l.out);
    numbers.set(floats.subarray(layer.floats + l.out, layer.floats + 2 * l.out), layer.b);
    for (let c = 0; c < l.out; c++) {
      const step = floats[layer.floats + c], from = layer.ints + c * l.n;
      const tile = layer.w + (c >> 2) * l.n * 4 + (c & 3), row = layer.w + c * l.n;
      if (l.kind === "pointwise") for (let j = 0; j < l.n; j++) numbers[tile + 4 * j] = ints[from + j] * step;
      else for (let j = 0; j < l.n; j++) numbers[row + j] = ints[from + j] * step;
    }
    return layer;
  });
  spaces = { picture: take(pictures), scratch: take(scratch),
    maps: [take(largest), take(largest), take(largest)] };
  return { ints, floats: floats.slice(), layers };       // the page needs the weights too: heat and lens
}

// Red, green and blue of each pixel, scaled to about -1..1 as in training
function load(rgba) {
  const n = SIDE * SIDE;
  for (let i = 0; i < n; i++)
    for (let c = 0; c < 3; c++) numbers[spaces.picture + c * n + i] = (rgba[4 * i + c] - 127) / 128;
}

// One layer from place `at` to place `to`; sizes in `s` are brought up to date.
function compute(layer, at, to, s) {
  const { w, b, size, stride } = layer;
  if (layer.kind === "pointwise")
    engine.pointwise(4 * to, 4 * at, 4 * w, 4 * b, layer.out, layer.n, s.n, layer.act);
  else if (layer.kind === "stem") {
    engine.stem(4 * to, 4 * spaces.picture, 4 * w, 4 * b, 4 * spaces.scratch, layer.out, SIDE, SIDE);
    s.side = SIDE / 2; s.n = padded(s.side * s.side);
  } else {
    const before = stride === 2 ? (size - 2) >> 1 : size >> 1, side = Math.ceil(s.side / stride),
      n = padded(side * side);
    engine.depthwise(4 * to, 4 * at, 4 * w, 4 * b, 4 * spaces.scratch, layer.out, s.side, s.side, size,
      stride, before, side, side, n, s.n);
    s.side = side; s.n = n;
  }
  s.channels = layer.out;
}

function run({ rgba, keep }) {
  const began = performance.now(), s = { side: SIDE, n: SIDE * SIDE, channels: 3 };
  let at = spaces.picture, block = at;       // where the last maps lie, and those with which the block began
  kept = [];
  load(rgba);
  for (const layer of layers) {
    if (layer.kind === "linear") break;
    if (layer.first) block = at;
    const to = spaces.maps.find(m => m !== at && m !== block);
    compute(layer, at, to, s);
    if (layer.skip) engine.add(4 * to, 4 * block, s.channels * s.n);
    at = to;
    if (keep) kept.push({ ...s, maps: numbers.slice(at, at + s.channels * s.n) });
  }
  return { maps: numbers.slice(at, at + s.channels * s.n), ...s, ms: performance.now() - began, keep };
}

const answer = { boot, run, layer: ({ index }) => kept[index] ?? null };
onmessage = async ({ data: { id, what, content } }) => {
  try {
    const result = await answer[what](content);
    const give = result?.ints ? [result.ints.buffer, result.floats.buffer]
      : result?.ms ? [result.maps.buffer] : [];      // handed over, not copied
    postMessage({ id, result }, give);
  } catch (e) { postMessage({ id, error: `${e.name}: ${e.message}` }) }
};
