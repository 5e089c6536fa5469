// Screens, and the beginning.
function drawAll() {                         // the network has answered
  drawLook();
  if (state.screen === "how") drawHow();
}
function handOver() {                        // the kernel explorer gets the picture
  const frame = $("kernel-page");
  if (state.screen !== "kernels" || !current) return;
  if (!frame.srcdoc) { frame.srcdoc = config.kernelPage; frame.onload = handOver; return }
  const inside = frame.contentWindow?.shipviz;
  if (!inside?.image) return void setTimeout(handOver, 50);
  inside.use(current.canvas);
  if (state.kernel || inside.told) inside.text = state.kernel ?? "";
  state.kernel = inside.text || null;
  inside.told = text => { state.kernel = text || null; writeAddress() };
}
function openScreen() {
  for (const name of SCREENS) $(name).hidden = name !== state.screen;
  for (const link of document.querySelectorAll("nav a"))
    if (link.hash === `#${state.screen}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  if (!current) return;
  if (state.screen === "how") drawHow();
  if (state.screen === "game" && !game.picture) nextShip();
  if (state.screen === "learn" && learn.of !== current) beginLearning();
  handOver();
}
async function toAddress() {                 // the address was changed: by a link, by hand, or by going back
  const before = state.picture;
  readAddress();
  if (state.picture !== before && state.picture !== null) await show(await opened(state.picture));
  showChoices(); openScreen();
  if (!result) return;
  drawLook();
  if (state.layer !== null && state.screen === "how") openLens(state.layer, state.map, state.at);
}
async function start() {
  $("off").remove();
  readAddress(); showChoices(); openScreen();
  connectPicture(); connectLook(); connectPaint(); connectLens(); connectGame(); connectLearn();
  connectShare();
  network.ready = network.boot();
  try {
    await show(await opened(state.picture));
    openScreen();
    if (state.layer !== null && state.screen === "how") await openLens(state.layer, state.map, state.at);
    window.addEventListener("hashchange", toAddress);
  } catch (e) { trouble(`The network does not run here: ${e.message}.`) }
}
start();
window.shipviz = { state, network, config, analyse, energyIn, get current() { return current },
  get result() { return result },
  Result, holds, show, game, learn, lens, camera };  // for those who look under the bonnet, and for the tests
