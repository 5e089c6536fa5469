// A card to show others: the picture, the heat and the bars in one PNG, made here.
const CARD = [1200, 630];
function fitText(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  while (text && context.measureText(`${text}…`).width > width) text = text.slice(0, -1);
  return `${text}…`;
}
function drawCard() {
  const [width, height] = CARD, canvas = surface(width, height), context = canvas.getContext("2d"),
    right = 720;
  const style = getComputedStyle(document.documentElement),
    colour = name => style.getPropertyValue(name).trim();
  const p = result.probabilities(state.head), order = result.order(state.head).slice(0, 5),
    font = "system-ui, sans-serif";
  context.fillStyle = colour("--bg"); context.fillRect(0, 0, width, height);
  const f = Math.min(650 / view.width, 520 / view.height), w = view.width * f, h = view.height * f;
  context.drawImage(view, 40 + (650 - w) / 2, 40 + (520 - h) / 2, w, h);
  context.fillStyle = colour("--fg"); context.font = `600 34px ${font}`;
  context.fillText("Where does the network look?", right, 80, width - right - 30);
  context.font = `24px ${font}`;
  order.forEach((k, i) => {
    const y = 150 + 80 * i;
    context.fillStyle = colour("--fg"); context.textAlign = "left";
    context.fillText(fitText(context, names()[k], 330), right, y);
    context.textAlign = "right"; context.fillText(percent(p[k]), width - 40, y);
    context.fillStyle = colour("--hit");
    context.fillRect(right, y + 12, Math.max(2, p[k] * (width - right - 40)), 16);
  });
  context.textAlign = "left"; context.fillStyle = colour("--soft"); context.font = `20px ${font}`;
  const heat = !state.heat ? "" : state.b === null ? `Heat (Grad-CAM): ${names()[chosen()]}`
    : `Heat (Grad-CAM), left: ${names()[chosen()]}; right: ${names()[state.b]}`;
  context.fillText(fitText(context, heat, 660), 40, 600);
  context.fillText("EfficientNet-Lite0, computed in a browser · shipviz", right, 600, width - right - 30);
  return new Promise(resolve => canvas.toBlob(resolve, "image/png"));
}
function connectShare() {
  const card = async () => new File([await drawCard()], "where-it-looks.png", { type: "image/png" });
  $("card").onclick = async () => {
    const address = URL.createObjectURL(await card());
    element("a", { href: address, download: "where-it-looks.png" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    $("shared").textContent = "Saved as where-it-looks.png.";
  };
  const probe = new File([], "a.png", { type: "image/png" });
  $("share").hidden = !navigator.canShare?.({ files: [probe] });
  $("share").onclick = async () => {
    try { await navigator.share({ files: [await card()], title: document.title }) }
    catch (e) {
      if (e.name !== "AbortError") $("shared").textContent = "Nothing was shared. Save the picture instead.";
    }
  };
  $("link").onclick = async () => {
    writeAddress();
    const own = current.own ? " Your own photo is not in it: it stays here." : "";
    try { await navigator.clipboard.writeText(location.href); $("shared").textContent = `Copied.${own}` }
    catch {
      $("shared").textContent = `Copy it from the address line: this browser gives pages no clipboard.${own}`;
    }
  };
}
