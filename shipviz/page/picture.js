// Where pictures come from: those in the page, a file, a drop, the clipboard, the camera; and their way to
// the network.
const LONG = 640;                            // longest side at which a picture is kept
// the picture, what the network says, and what it said unpainted
let current = null, result = null, first = null;
const camera = { stream: null, rate: 0 };

function holds(source, width, height, facts) {       // a picture: as it came, and as it is painted
  const f = Math.min(1, LONG / Math.max(width, height)), w = Math.round(width * f),
    h = Math.round(height * f);
  if (Math.min(w, h) < 8)
    throw new Error(`a picture of ${w}×${h} pixels is too small: 8 a side are the least`);
  const original = surface(w, h), canvas = surface(w, h), context = original.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff"; context.fillRect(0, 0, w, h);          // where it is transparent, as in Python
  context.drawImage(source, 0, 0, w, h);
  canvas.getContext("2d").drawImage(original, 0, 0);
  return { original, canvas, width: w, height: h, mask: null, label: null, strokes: [], undone: [],
    ...facts };
}
function decoded(address) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("this browser can't read it as a picture"));
    image.src = address;
  });
}
async function maskOf(address) {             // where the ship is, as the network sees the picture: 224×224
  const canvas = surface(SIDE, SIDE), context = paper(canvas), image = await decoded(address);
  context.drawImage(image, 0, 0, SIDE, SIDE);
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  return Uint8Array.from({ length: SIDE * SIDE }, (_, i) => data[4 * i] > 127 ? 1 : 0);
}
const ships = [];                            // the pictures of the page, opened once
async function opened(index) {
  const { image, mask, ...facts } = config.pictures[index];
  if (!ships[index]) {
    const picture = await decoded(image);
    ships[index] = { ...holds(picture, picture.naturalWidth, picture.naturalHeight, facts),
      mask: mask && await maskOf(mask) };
  }
  return ships[index];
}

async function show(picture) {               // another picture: everything follows
  current = picture;
  first = null;
  trouble("");
  fitView();
  await analyse();
  first = result;
  tellPicture();
  drawGallery(); drawPaint(); handOver();
}
async function choose(index) {
  stopCamera();
  state.picture = index; state.b = null;
  await show(await opened(index));
  writeAddress();
}
async function take(file) {                  // a file of the user's own
  stopCamera();
  if (!file) return;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
    const picture = holds(bitmap, bitmap.width, bitmap.height, { title: "your photo", own: true });
    state.picture = null; state.b = null;
    await show(picture);
    writeAddress();
  } catch (e) {
    trouble(`${file.name || "That"}: ${bitmap ? e.message : "this browser can't read it as a picture"}.`);
  }
}

// Once the network is busy, the last picture waits and all between are left out.
const input = paper(surface(SIDE, SIDE));
let busy = null, again = false;
function look(picture = current) {           // the pixels that the network gets
  input.imageSmoothingQuality = "high";
  input.drawImage(picture.canvas, 0, 0, SIDE, SIDE);
  return input.getImageData(0, 0, SIDE, SIDE).data;
}
async function once() {
  await network.ready;
  const keep = state.screen === "how" || $("lens").open, rgba = look();
  result = new Result(await network.ask("run", { rgba, keep }, [rgba.buffer]));
  result.keep = keep;
  drawAll();
}
function analyse() {
  again = busy !== null;
  busy ??= (async () => { do { again = false; await once() } while (again); })().finally(() => busy = null);
  return busy;
}

// ---- the camera ----

function stopCamera() {
  camera.stream?.getTracks().forEach(track => track.stop());
  camera.stream = null;
  $("camera").setAttribute("aria-pressed", false);
  $("camera").textContent = "camera";
}
async function startCamera() {
  try {
    if (!navigator.mediaDevices) throw new Error("this browser does not let a page like this use the camera");
    camera.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (e) {
    const why = { NotAllowedError: "it was not allowed", NotFoundError: "there is none",
      NotReadableError: "it is in use" };
    return trouble(`No camera: ${why[e.name] || e.message}.`);
  }
  $("camera").setAttribute("aria-pressed", true);
  $("camera").textContent = "stop the camera";
  const { stream } = camera, video = element("video", { muted: true, playsInline: true, srcObject: stream });
  await video.play();
  current = holds(video, video.videoWidth, video.videoHeight, { title: "camera", own: true });
  state.picture = null;
  fitView(); drawGallery();
  const times = [];
  while (camera.stream === stream) {
    current.canvas.getContext("2d").drawImage(video, 0, 0, current.width, current.height);
    await analyse();
    times.push(performance.now());
    if (times.length > 20) times.shift();
    camera.rate = times.length > 1 ? 1000 * (times.length - 1) / (times.at(-1) - times[0]) : 0;
    await new Promise(requestAnimationFrame);
  }
  // the last frame stays, to be painted
  current.original.getContext("2d").drawImage(current.canvas, 0, 0);
  current.strokes = []; current.undone = [];
  if (current.title === "camera") show(Object.assign(current, { title: "a frame of the camera" }));
}

function connectPicture() {
  $("file").onchange = e => take(e.target.files[0]);
  $("camera").onclick = () => camera.stream ? stopCamera() : startCamera();
  window.addEventListener("dragover", e => e.preventDefault());
  window.addEventListener("drop", e => { e.preventDefault(); take(e.dataTransfer.files[0]) });
  window.addEventListener("paste", e => {
    const file = [...e.clipboardData.files].find(f => f.type.startsWith("image/"));
    if (file) take(file);
  });
  config.pictures.forEach(async (facts, i) => {
    const canvas = surface(132, 88);
    const button = element("button", { "aria-label": facts.title, title: facts.title }, canvas);
    button.onclick = () => choose(i);
    $("gallery").append(button);
    const picture = await decoded(facts.image), w = picture.naturalWidth, h = picture.naturalHeight;
    const f = Math.max(132 / w, 88 / h);
    canvas.getContext("2d").drawImage(picture, (132 - w * f) / 2, (88 - h * f) / 2, w * f, h * f);
  });
}
function drawGallery() {
  [...$("gallery").children].forEach((b, i) => b.setAttribute("aria-pressed", i === state.picture));
}
