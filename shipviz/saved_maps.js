// Pages through a data set of heatmaps. A part's rows come with a script of its own, which calls shipvizPart.
"use strict";
(() => {
  const SHOWN = 60, KEPT = 4;
  const {parts, base} = JSON.parse(document.getElementById("data").textContent);
  const starts = [0];
  for (const [, n] of parts) starts.push(starts[starts.length - 1] + n);
  const total = starts[parts.length];
  const loaded = new Map(), waiting = new Map();
  const by = id => document.getElementById(id);
  let first = 0, asked = 0;

  // inferno, sixteen colours
  const HEAT = ["000004", "0c0826", "240c4f", "420a68", "5d126e", "781c6d", "932667", "ae305c",
                "c73e4c", "dd513a", "ed6925", "f8850f", "fca50a", "fac62d", "f2e661", "fcffa4"]
    .map(c => [0, 2, 4].map(i => parseInt(c.slice(i, i + 2), 16)));

  window.shipvizPart = (name, rows) => {
    loaded.set(name, rows);
    const done = waiting.get(name);
    waiting.delete(name);
    if (done) done(rows);
  };

  function part(k) {
    const [name, n] = parts[k];
    if (loaded.has(name)) {
      const rows = loaded.get(name);
      loaded.delete(name);
      loaded.set(name, rows); // now the last to be forgotten
      return Promise.resolve(rows);
    }
    return new Promise(done => {
      const script = document.createElement("script");
      waiting.set(name, done);
      script.onload = () => script.remove();
      script.onerror = () => {
        script.remove();
        waiting.delete(name);
        done(Array.from({length: n}, () => ["", "", 0, "", "pages/" + name + ".js is missing", [], []]));
      };
      script.src = "pages/" + encodeURIComponent(name) + ".js";
      document.head.append(script);
    });
  }

  async function rowsFrom(start) {
    const found = [];
    let k = starts.findIndex((s, i) => start < (starts[i + 1] ?? s));
    for (let at = start; found.length < SHOWN && k >= 0 && k < parts.length; k++) {
      const rows = await part(k);
      found.push(...rows.slice(at - starts[k], at - starts[k] + SHOWN - found.length));
      at = starts[k + 1];
    }
    for (const name of [...loaded.keys()].slice(0, Math.max(0, loaded.size - KEPT))) loaded.delete(name);
    return found;
  }

  function canvas([height, width, digits]) {
    const c = document.createElement("canvas");
    c.width = width;
    c.height = height;
    const pen = c.getContext("2d"), pixels = pen.createImageData(width, height);
    for (let i = 0; i < digits.length; i++) pixels.data.set([...HEAT[parseInt(digits[i], 16)], 255], 4*i);
    pen.putImageData(pixels, 0, 0);
    return c;
  }

  function card([path, predicted, p, explained, problem, map, box, address], number) {
    const item = document.createElement("li"), figure = document.createElement("figure");
    const frame = document.createElement("div"), caption = document.createElement("figcaption");
    const heat = map.length ? canvas(map) : null;
    frame.className = "frame";
    if (base) {
      const image = new Image();
      image.loading = "lazy";
      image.alt = `Picture ${number}: ${predicted || problem}`;
      if (heat && box.length) image.onload = () => {
        const [w, h] = [image.naturalWidth, image.naturalHeight];
        Object.assign(heat.style, {left: 100*box[0]/w + "%", top: 100*box[1]/h + "%",
                                   width: 100*(box[2] - box[0])/w + "%", height: 100*(box[3] - box[1])/h + "%"});
      };
      image.src = path.startsWith("/") ? "file://" + (address ?? path) : base + (address ?? path);
      frame.append(image);
    } else frame.classList.add("alone");
    if (heat) frame.append(heat);
    const lines = [["", `${number}. ${path}`]];
    if (predicted) lines.push(["", `${predicted} ${(100*p).toFixed(1)} %`]);
    if (explained) lines.push(["soft", `explained: ${explained}`]);
    if (problem) lines.push(["bad", problem]);
    for (const [kind, text] of lines) {
      const line = document.createElement("div");
      line.className = kind;
      line.textContent = text;
      caption.append(line);
    }
    figure.append(frame, caption);
    item.append(figure);
    return item;
  }

  async function show(start) {
    first = Math.max(0, Math.min(total - 1, start));
    const mine = ++asked, rows = await rowsFrom(first);
    if (mine !== asked) return; // somebody was quicker to ask for others
    by("rows").replaceChildren(...rows.map((r, i) => card(r, first + i + 1)));
    by("from").value = first + 1;
    by("where").textContent = total
      ? `${(first + 1).toLocaleString("en")} to ${(first + rows.length).toLocaleString("en")} of ${total.toLocaleString("en")}`
      : "no pictures";
    by("back").disabled = first === 0;
    by("on").disabled = first + SHOWN >= total;
    history.replaceState(null, "", "#" + (first + 1));
  }

  by("back").onclick = () => show(first - SHOWN);
  by("on").onclick = () => show(first + SHOWN);
  by("from").onchange = () => show((parseInt(by("from").value, 10) || 1) - 1);
  by("bar").onsubmit = e => { e.preventDefault(); by("from").onchange(); };
  by("heat").onchange = () => by("rows").classList.toggle("plain", !by("heat").checked);
  addEventListener("hashchange", () => show((parseInt(location.hash.slice(1), 10) || 1) - 1));
  show((parseInt(location.hash.slice(1), 10) || 1) - 1);
})();
