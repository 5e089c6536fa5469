// A 3×3 kernel learned by gradient descent from a picture and a target.
const GREY = 128, INNER = GREY - 2;          // the picture's side, and the response's
const STEPS = 20;                            // of gradient descent for each picture on the screen
const learn = { x: null, grey: null, want: null, truth: null, kernel: [], speed: [], gram: [], pull: [],
  rest: 0, losses: [], every: 1, count: 0, on: false, of: null, end: "" };

// mean 0 and spread 1, so that one learning rate suits every picture
function greyPicture() {
  const canvas = surface(GREY, GREY), context = paper(canvas);
  context.imageSmoothingQuality = "high";
  context.drawImage(current.canvas, 0, 0, GREY, GREY);
  const { data } = context.getImageData(0, 0, GREY, GREY);
  const x = Float32Array.from({ length: GREY * GREY },
    (_, i) => (data[4 * i] + data[4 * i + 1] + data[4 * i + 2]) / 765);
  const mean = x.reduce((a, b) => a + b) / x.length;
  const spread = Math.sqrt(x.reduce((a, v) => a + (v - mean) ** 2, 0) / x.length) || 1;
  learn.grey = [-mean / spread, (1 - mean) / spread];      // what is black and white in these numbers
  return x.map(v => (v - mean) / spread);
}
function convolved(x, kernel) {
  const out = new Float32Array(INNER * INNER);
  for (let i = 0; i < 9; i++) {
    const w = kernel[i], from = (i / 3 | 0) * GREY + i % 3;
    for (let r = 0; r < INNER; r++)
      for (let c = 0; c < INNER; c++) out[r * INNER + c] += w * x[from + r * GREY + c];
  }
  return out;
}
const TURNED = "the picture, turned by 180° (no kernel can)";
function beginLearning() {
  if (learn.of !== current) { learn.of = current; learn.x = greyPicture() }
  const name = $("learn-target").value, { x } = learn, n = INNER * INNER;
  learn.truth = name === TURNED ? null : config.kernels[name].flat();
  learn.want = learn.truth ? convolved(x, learn.truth)
    : Float32Array.from({ length: n }, (_, i) => x[(GREY - 2 - (i / INNER | 0)) * GREY + GREY - 2
      - i % INNER]);
  // The error is a quadratic function of the nine weights: w·G·w - 2 w·p + rest. With G and p computed once,
  // a step costs 81 products, and is to the last digits the step that the pictures would give.
  const shifted = Array.from({ length: 9 }, (_, i) => {
    const one = new Array(9).fill(0);
    one[i] = 1;
    return convolved(x, one);
  });
  const dot = (a, b) => { let sum = 0; for (let i = 0; i < n; i++) sum += a[i] * b[i]; return sum / n };
  learn.gram = shifted.map(a => shifted.map(b => dot(a, b)));
  learn.pull = shifted.map(a => dot(a, learn.want));
  learn.rest = dot(learn.want, learn.want);
  learn.kernel = Array.from({ length: 9 }, () => Math.random() * 2 - 1);
  learn.speed = new Array(9).fill(0);
  learn.losses = [errorNow()]; learn.every = 1; learn.count = 0; learn.end = "";
  stopLearning();
  drawLearn();
}
const slope = () => learn.gram.map((row, i) =>
  2 * (row.reduce((sum, g, j) => sum + g * learn.kernel[j], 0) - learn.pull[i]));
function errorNow() {
  const { gram, pull, kernel, rest } = learn;
  let sum = rest;
  for (let i = 0; i < 9; i++) {
    sum -= 2 * kernel[i] * pull[i];
    for (let j = 0; j < 9; j++) sum += kernel[i] * gram[i][j] * kernel[j];
  }
  return Math.max(sum, 0);
}
const rate = () => 10 ** +$("learn-rate").value;
function learnStep() {
  const g = slope(), keep = $("learn-momentum").checked ? .9 : 0, lr = rate();
  learn.speed = learn.speed.map((v, i) => keep * v - lr * g[i]);
  learn.kernel = learn.kernel.map((w, i) => w + learn.speed[i]);
  learn.count++;
  if (learn.count % learn.every) return;
  learn.losses.push(errorNow());
  if (learn.losses.length <= 600) return;
  learn.losses = learn.losses.filter((_, i) => i % 2 === 0);
  learn.every *= 2;
}
function stopLearning() { learn.on = false; $("learn-go").textContent = "▶ learn" }
function goOn() {
  if (!learn.on || state.screen !== "learn") return stopLearning();
  for (let i = 0; i < STEPS; i++) learnStep();
  const error = errorNow();
  if (!(error < 1e6)) learn.end = `After ${learn.count} steps the error grows beyond all bounds: `
    + "the learning rate is too large. Make it smaller, and begin again.";
  else if (error < 1e-9) learn.end = `Learned after ${learn.count} steps.`;
  if (learn.end) stopLearning(); else requestAnimationFrame(goOn);
  drawLearn();
}

function kernelTable(table, kernel) {
  if (!table.rows.length) for (let r = 0; r < 3; r++) {
    const row = table.insertRow();
    for (let c = 0; c < 3; c++) row.insertCell();
  }
  const most = kernel ? largest(kernel) : 1;
  [...table.querySelectorAll("td")].forEach((cell, i) => {
    cell.textContent = kernel ? fixed(kernel[i]) : "?";
    if (kernel) cellColour(cell, kernel[i], most);
    else cell.style.background = cell.style.color = "";
  });
}
function drawCurve() {                       // error upwards, in powers of ten
  const canvas = $("learn-curve"), context = canvas.getContext("2d"), { width, height } = canvas, left = 60;
  const style = getComputedStyle(document.body),
    logs = learn.losses.map(v => Math.log10(clamp(v, 1e-12, 1e12)));
  const top = Math.ceil(Math.max(...logs) + .01), bottom = Math.min(Math.floor(Math.min(...logs)), top - 2);
  const y = v => 10 + (top - v) / (top - bottom) * (height - 40);
  context.clearRect(0, 0, width, height);
  context.font = "15px system-ui, sans-serif"; context.fillStyle = context.strokeStyle = style.color;
  context.lineWidth = 1;
  const apart = Math.ceil((top - bottom) / 6);
  for (let p = top; p >= bottom; p -= apart) {
    context.globalAlpha = .25;
    context.beginPath(); context.moveTo(left, y(p)); context.lineTo(width, y(p)); context.stroke();
    context.globalAlpha = 1;
    context.fillText(p > -4 && p < 4 ? String(+(10 ** p).toFixed(3)) : `1e${minus(p)}`, 4, y(p) + 5);
  }
  context.fillText(`${learn.count} steps`, width - 100, height - 8);
  context.strokeStyle = style.getPropertyValue("--hit"); context.lineWidth = 2.5;
  context.beginPath();
  logs.forEach((v, i) => context.lineTo(left + i / Math.max(1, logs.length - 1) * (width - left - 8), y(v)));
  context.stroke();
}
function drawLearn() {
  const limit = Math.max(largest(learn.want), 1e-3), answer = convolved(learn.x, learn.kernel);
  // a target whose weights sum to 1 is a picture itself, and shown as one
  const isPicture = !learn.truth || Math.abs(learn.truth.reduce((a, b) => a + b) - 1) < 1e-4;
  const draw = (id, values) => isPicture ? drawGrey($(id), values, INNER, INNER, ...learn.grey)
    : drawSigned($(id), values, INNER, INNER, limit);
  drawGrey($("learn-picture"), learn.x, GREY, GREY, ...learn.grey);
  draw("learn-answer", answer);
  draw("learn-want", learn.want);
  drawSigned($("learn-error"), answer.map((v, i) => v - learn.want[i]), INNER, INNER, limit);
  kernelTable($("learn-kernel"), learn.kernel);
  const shown = $("learn-show").getAttribute("aria-pressed") === "true";
  kernelTable($("learn-truth"), shown ? learn.truth : null);
  $("learn-rate-text").textContent = rate().toPrecision(2);
  drawCurve();
  if (!learn.on) $("learn-said").textContent = learn.end
    || `Error ${errorNow().toPrecision(3)} after ${learn.count} steps.`
    + (shown && !learn.truth ? " Here is no hidden kernel." : "");
}
function connectLearn() {
  const select = $("learn-target");
  for (const name of Object.keys(config.kernels)) select.append(new Option(name.replaceAll("_", " "), name));
  select.append(new Option(TURNED, TURNED));
  select.value = "top_edge";
  select.onchange = beginLearning; $("learn-new").onclick = beginLearning;
  $("learn-rate").oninput = () => $("learn-rate-text").textContent = rate().toPrecision(2);
  $("learn-step").onclick = () => { stopLearning(); learn.end = ""; learnStep(); drawLearn() };
  $("learn-go").onclick = () => {
    if (learn.on) { stopLearning(); return drawLearn() }
    if (learn.end) beginLearning();
    learn.on = true;
    $("learn-go").textContent = "■ stop";
    $("learn-said").textContent = "Learning…";
    goOn();
  };
  $("learn-show").onclick = e => {
    const on = e.target.getAttribute("aria-pressed") !== "true";
    e.target.setAttribute("aria-pressed", on); e.target.textContent = on ? "hide" : "show";
    drawLearn();
  };
}
