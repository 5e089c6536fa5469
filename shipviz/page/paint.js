// Painting over the picture: a list of strokes, so that each can be taken back; the network answers while
// one is drawn.
const paint = { tool: "", width: 12, stroke: null, at: null };
const TOOLS = { grey: "mean colour", blur: "blur", black: "black", white: "white",
  restore: "the picture itself" };

function blurred(picture) {                  // down to 12 pixels a side and up again
  if (!picture.blurred) {
    const small = surface(12, 12), large = surface(picture.width, picture.height),
      context = large.getContext("2d");
    small.getContext("2d").imageSmoothingQuality = "high";
    small.getContext("2d").drawImage(picture.original, 0, 0, 12, 12);
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, picture.width, picture.height);
    picture.blurred = large;
  }
  return picture.blurred;
}
function inkOf(tool, picture, context) {
  if (tool === "blur") return context.createPattern(blurred(picture), "no-repeat");
  if (tool === "restore") return context.createPattern(picture.original, "no-repeat");
  if (tool !== "grey") return tool;
  const one = paper(surface(1, 1)), { data } = paper(picture.original).getImageData(0, 0, picture.width,
    picture.height);
  const sum = [0, 0, 0], n = data.length / 4;
  for (let i = 0; i < data.length; i += 4) for (let c = 0; c < 3; c++) sum[c] += data[i + c];
  one.fillStyle = `rgb(${sum.map(v => Math.round(v / n))})`;
  return one.fillStyle;
}
function ink(picture, { tool, width, points }) {
  const context = picture.canvas.getContext("2d");
  context.save();
  context.strokeStyle = context.fillStyle = inkOf(tool, picture, context);
  context.lineWidth = width; context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(...points[0]);
  for (const point of points.slice(1)) context.lineTo(...point);
  if (points.length === 1) { context.arc(...points[0], width / 2, 0, 7);
    context.fill() } else context.stroke();
  context.restore();
}
function repaint() {
  current.canvas.getContext("2d").drawImage(current.original, 0, 0);
  current.strokes.forEach(stroke => ink(current, stroke));
  drawPaint();
  return analyse();
}
function drawPaint() {
  $("undo").disabled = !current.strokes.length; $("redo").disabled = !current.undone.length;
  $("clear").disabled = !current.strokes.length;
}

const brushWidth = () => paint.width / 100 * Math.max(current.width, current.height);
function begin(point) {
  if (camera.stream) stopCamera();
  paint.stroke = { tool: paint.tool, width: brushWidth(), points: [point] };
  current.strokes.push(paint.stroke); current.undone = [];
  extend();
}
function extend() {                          // the last piece of the stroke
  ink(current, { ...paint.stroke, points: paint.stroke.points.slice(-2) });
  drawPaint(); drawView(); analyse();
}
const undo = () => { if (current.strokes.length) { current.undone.push(current.strokes.pop()); repaint() } };
const redo = () => { if (current.undone.length) { current.strokes.push(current.undone.pop()); repaint() } };

function drawBrush(context) {                // where the brush is, for those who move it by keyboard
  if (!paint.tool || !paint.at || document.activeElement !== view) return;
  const f = view.width / current.width, [x, y] = paint.at;
  for (const [colour, width] of [["#000", 4], ["#fff", 2]]) {
    context.strokeStyle = colour; context.lineWidth = width;
    context.beginPath(); context.arc(x * f, y * f, brushWidth() * f / 2, 0, 7); context.stroke();
  }
}
function drawChange() {                      // what painting did to the class that was first
  if (!first || !current.strokes.length || first === result) { $("change").textContent = ""; return }
  const k = first.order(state.head)[0], now = result.order(state.head)[0],
    p = r => percent(r.probabilities(state.head)[k]);
  const other = now === k ? ""
    : ` Now it says ${names()[now]}, ${percent(result.probabilities(state.head)[now])}.`;
  $("change").textContent = `${names()[k]}: ${p(first)} before, ${p(result)} painted.${other}`;
}

function connectPaint() {
  const buttons = [...document.querySelectorAll("[data-tool]")];
  for (const button of buttons) button.onclick = () => {
    paint.tool = button.dataset.tool;
    buttons.forEach(b => b.setAttribute("aria-pressed", b === button));
    view.classList.toggle("paints", !!paint.tool);
    $("paint-help").hidden = !paint.tool;
    drawView();
  };
  $("brush").oninput = e => { paint.width = +e.target.value; drawView() };
  $("undo").onclick = undo; $("redo").onclick = redo;
  $("clear").onclick = () => { current.undone = current.strokes.reverse(); current.strokes = []; repaint() };
  const spot = e => { const [x, y] = place(e); return [x * current.width, y * current.height] };
  view.addEventListener("pointerdown", e => {
    if (!paint.tool) return;
    view.setPointerCapture(e.pointerId);
    begin(spot(e));
  });
  view.addEventListener("pointermove", e => {
    if (!paint.stroke) return;
    paint.stroke.points.push(spot(e));
    extend();
  });
  const end = () => { if (paint.stroke) { paint.stroke = null; drawChange() } };
  view.addEventListener("pointerup", end); view.addEventListener("pointercancel", end);
  view.addEventListener("keydown", e => {
    const move = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[e.key];
    if (!paint.tool || e.ctrlKey || e.metaKey || !(move || e.key === "Enter")) return;
    e.preventDefault();
    const at = paint.at ??= [current.width / 2, current.height / 2], step = brushWidth() / 2;
    if (!move) { begin([...at]); return end() }
    at[0] = clamp(at[0] + move[0] * step, 0, current.width);
    at[1] = clamp(at[1] + move[1] * step, 0, current.height);
    drawView();
  });
  view.addEventListener("focus", () => drawView()); view.addEventListener("blur", () => drawView());
  window.addEventListener("keydown", e => {
    if (!(e.ctrlKey || e.metaKey) || e.key.toLowerCase() !== "z" && e.key.toLowerCase() !== "y") return;
    const again = e.key.toLowerCase() === "y" || e.shiftKey;
    if (!$("lens").open && state.screen !== "look" || e.target.matches("input[type=search]")) return;
    e.preventDefault();
    if ($("lens").open) return again ? redoInLens() : undoInLens();
    if (again) redo(); else undo();
  });
}
