// The game: press where you think that the network looks. The heat answers, and the ship's true mask scores
// the heat.
const game = { order: [], turn: -1, picture: null, result: null, at: null, answered: false, rounds: [] };
const gameView = $("game-view");

function shuffled(list) {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}
const gameClass = () => config.ships.indexOf(game.picture.label);

async function nextShip() {
  if (game.turn + 1 >= game.order.length) {
    game.order = shuffled([...config.pictures.keys()].filter(i => config.pictures[i].mask));
    game.turn = -1;
  }
  const picture = await opened(game.order[++game.turn]), canvas = surface(picture.width, picture.height);
  canvas.getContext("2d").drawImage(picture.original, 0, 0);             // without what was painted on it
  const rgba = look({ canvas });
  await network.ready;
  Object.assign(game, { picture, at: null, answered: false,
    result: new Result(await network.ask("run", { rgba, keep: false }, [rgba.buffer])) });
  gameView.width = 640; gameView.height = Math.round(640 * picture.height / picture.width);
  const p = game.result.probabilities("ships")[gameClass()];
  $("game-task").textContent = `Where is the most heat for ${picture.label}? `
    + `The network gives it ${percent(p)}.`;
  $("game-said").textContent = "";
  $("game-next").disabled = true;
  gameView.setAttribute("aria-label", `${picture.title}: ${picture.alt}`);
  drawGame();
}
function drawGame() {
  const context = gameView.getContext("2d"), { width, height } = gameView, { picture } = game;
  context.imageSmoothingQuality = "high";
  context.drawImage(picture.original, 0, 0, width, height);
  if (game.answered) {
    context.drawImage(heatImage(game.result.heat("ships", gameClass())), 0, 0, width, height);
    drawOutline(context, picture.mask, width, height);
  }
  if (!game.at) return;
  const [x, y] = [game.at[0] * width, game.at[1] * height];
  for (const [colour, line] of [["#000", 6], ["#fff", 3]]) {
    context.strokeStyle = colour; context.lineWidth = line;
    context.beginPath();
    context.moveTo(x - 14, y); context.lineTo(x + 14, y);
    context.moveTo(x, y - 14); context.lineTo(x, y + 14);
    context.stroke();
  }
}
function answerGame() {
  if (game.answered || !game.at) return;
  game.answered = true;
  const map = game.result.heat("ships", gameClass()), heat = enlarge(map, CELLS, SIDE),
    most = Math.max(...heat) || 1;
  const cell = v => Math.min(SIDE - 1, Math.floor(v * SIDE)),
    here = heat[cell(game.at[1]) * SIDE + cell(game.at[0])] / most;
  const mean = heat.reduce((a, b) => a + b) / heat.length / most, share = energyIn(map, game.picture.mask);
  const peak = hottest(map), onShip = game.picture.mask[heat.indexOf(Math.max(...heat))];
  game.rounds.push({ here, mean });
  const cells = [here, mean, share].map(v => element("td", {}, Number.isNaN(v) ? "none" : percent(v)));
  $("game-table").tBodies[0].append(element("tr", {}, element("td", {}, game.picture.title), ...cells));
  const average = key => game.rounds.reduce((sum, r) => sum + r[key], 0) / game.rounds.length;
  $("game-said").textContent = `At your place is ${percent(here)} of the most heat. `
    + `It is most ${peak.where}, `
    + `${onShip ? "on the ship" : "beside the ship"}. ${percent(share)} of all heat lies on the ship. `
    + `After ${game.rounds.length}: you ${percent(average("here"))}, `
    + `a place drawn by chance ${percent(average("mean"))}.`;
  $("game-next").disabled = false;
  drawGame();
}
function connectGame() {
  $("game-next").onclick = nextShip;
  $("game-again").onclick = () => {
    game.rounds = [];
    $("game-table").tBodies[0].replaceChildren();
    nextShip();
  };
  gameView.addEventListener("click", e => {
    if (game.answered) return;
    game.at = place(e, gameView).map(v => clamp(v, 0, .9999));
    answerGame();
  });
  gameView.addEventListener("keydown", e => {
    const step = { ArrowUp: [0, -.03], ArrowDown: [0, .03], ArrowLeft: [-.03, 0],
      ArrowRight: [.03, 0] }[e.key];
    if (!(step || e.key === "Enter") || game.answered) return;
    e.preventDefault();
    game.at ??= [.5, .5];
    if (!step) return answerGame();
    game.at = game.at.map((v, i) => clamp(v + step[i], 0, .9999));
    drawGame();
  });
}
