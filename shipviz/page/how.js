// The second screen: the picture's way through the layers, as maps.
const MAPS = 12;                             // maps of a layer that are shown at first
const more = new Map();                      // group -> how many maps are shown; which layer of it is chosen
const picked = new Map();

// What a layer made of the picture: planes of `n` numbers. Asked for once a picture.
function layerMaps(index) {
  result.layers ??= new Map();
  if (!result.layers.has(index)) result.layers.set(index, network.ask("layer", { index }));
  return result.layers.get(index);
}
const plane = (made, c) => made.maps.subarray(c * made.n, c * made.n + made.side * made.side);

function groups() {                          // [title, indices of its layers]: stem, stages, last
  const found = new Map();
  config.told.layers.forEach(({ name, kind }, i) => {
    if (kind === "linear") return;
    const group = name.split(",")[0];
    found.set(group, [...found.get(group) ?? [], i]);
  });
  return [...found];
}
const WHAT = {
  stem: "Kernels over the three colours, every second pixel. Edges and colours, no more.",
  depthwise: "One kernel for each map, on that map alone.",
  pointwise: "Kernels of one place: every new map is a weighted sum of all the maps before it.",
};
function shapeOf(layer, made) {
  const by = layer.kind === "pointwise" ? "1×1" : `${layer.size}×${layer.size}`;
  const stride = layer.stride > 1 ? `, stride ${layer.stride}` : "";
  return `${layer.out} maps of ${made.side}×${made.side}, kernels ${by}${stride}`;
}

// The maps that speak most for the chosen class, or simply the first ones
function mapsToShow(index, count) {
  const all = [...Array(network.layers[index].out).keys()];
  if (index < network.layers.length - 2) return all.slice(0, count);
  const w = classRow(state.head, chosen());
  return all.sort((i, j) => w[j] * result.means[j] - w[i] * result.means[i]).slice(0, count);
}
function mapButton(index, c, made) {
  const canvas = surface(made.side, made.side), values = plane(made, c),
    last = index === network.layers.length - 2;
  drawSigned(canvas, values, made.side, made.side, largest(values));
  const said = last ? `${c}: ${fixed(classRow(state.head, chosen())[c] * result.means[c])}` : String(c);
  const button = element("button", { "aria-label": `map ${said}, ${network.layers[index].name}` }, canvas,
    said);
  button.onclick = () => openLens(index, c);
  return button;
}
async function drawGroup(section, title, indices) {
  const index = picked.get(title) ?? indices.find(i => network.layers[i].kind === "depthwise") ?? indices[0];
  const layer = network.layers[index], made = await layerMaps(index), count = more.get(title) ?? MAPS;
  if (!made) return;
  const [, row, about, maps] = section.children;
  about.textContent = `${shapeOf(layer, made)}. ${WHAT[layer.kind]}`;
  if (title === "last") about.textContent += ` Below, those that speak most for ${names()[chosen()]}, and by `
    + `how much: a map's mean times the weight of the class. All ${layer.out} together, and a constant, make `
    + "its logit of "
    + `${fixed(result.logits(state.head)[chosen()])}.`;
  maps.replaceChildren(...mapsToShow(index, count).map(c => mapButton(index, c, made)));
  const rest = layer.out - count, button = row.lastChild;
  button.hidden = rest <= 0;
  button.textContent = `${Math.min(24, rest)} more`;
  button.onclick = () => { more.set(title, count + 24); drawGroup(section, title, indices) };
}
function groupSection([title, indices]) {
  const heading = title === "last" ? "The last maps, before the mean" : title[0].toUpperCase()
    + title.slice(1);
  const select = element("select"), label = element("label", {}, "Layer ", select);
  for (const i of indices) select.append(new Option(network.layers[i].name.replace(`${title}, `, ""), i));
  select.value = indices.find(i => network.layers[i].kind === "depthwise") ?? indices[0];
  label.hidden = indices.length === 1;
  const section = element("section", { className: "stage" }, element("h3", {}, heading),
    element("div", { className: "row" }, label, element("button")), element("p", { className: "soft" }),
    element("div", { className: "maps" }));
  select.onchange = () => { picked.set(title, +select.value); drawGroup(section, title, indices) };
  return section;
}
function photoSection() {                    // where it all begins
  const canvas = surface(SIDE, SIDE);
  return element("section", { className: "stage", id: "how-photo" },
    element("h3", {}, "The picture, as the network gets it"),
    element("p", { className: "soft" }, "Squeezed to 224×224 pixels: three maps, red, green and blue."),
    canvas);
}
async function drawHow() {
  if (!result.keep) return analyse();        // that draws again, with the maps kept
  const all = groups(), list = $("stages");
  if (!list.children.length) list.append(photoSection(), ...all.map(groupSection));
  $("how-photo").lastChild.getContext("2d").drawImage(current.canvas, 0, 0, SIDE, SIDE);
  await Promise.all(all.map((group, i) => drawGroup(list.children[i + 1], ...group)));
}
