#!/usr/bin/env python
"""The site: lessons with their stored outputs, live explorers, API, glossary, gallery, teacher's page.

    python scripts/site/build.py            write the pages into _site/ (`make site`)
    python scripts/site/build.py --stage    only the sources that Sphinx reads, into build/site/

Nothing is executed. Notebooks become sources of MyST-NB: cells for the machine go, pictures and explorers
become files, links to what the site leaves out become text. What Sphinx warns of, a dead link say, ends the
build."""
import argparse
import base64
import hashlib
import html
import re
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT/"scripts"), str(HERE)]
import api  # noqa: E402

import nbs  # noqa: E402

SOURCE, OUT = ROOT/"build"/"site", ROOT/"_site"
PAGES = ("[0-9]*.ipynb", "glossary.ipynb", "solutions/*.ipynb", "teachers/guide.ipynb")
CHECK = "application/vnd.shipviz.check+json"
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif"}
PICTURE = re.compile(r'<img\b[^>]*?\bsrc="data:(image/\w+);base64,([A-Za-z0-9+/=\s]+)"[^>]*>')
FRAME = re.compile(r'<iframe\b([^>]*?) srcdoc="([^"]*)"([^>]*)></iframe>')


# Files beside the pages

class Page:
    "Where a page stands, and the files that it brings along: pictures, explorers."
    def __init__(self, path, out):
        self.path, self.out, self.figures, self.tables = Path(path), Path(out), [], 0
        self.up = "../"*len(self.path.parent.parts)

    def file(self, folder, data, extension):
        "Keep `data` under a name that says whose it is and what is in it; its address, as the page sees it."
        mark = hashlib.sha256(data).hexdigest()[:10]
        name = f"{folder}/{'-'.join(self.path.with_suffix('').parts)}-{mark}.{extension}"
        to = self.out/"extra"/name
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(data)
        return name

    def picture(self, found):
        "A picture of an output as a file, loaded when it comes into sight, with its size told at once."
        from PIL import Image
        data = base64.b64decode(found[2])
        width, height = Image.open(BytesIO(data)).size
        alt = re.search(r'\balt="([^"]*)"', found[0])
        name = self.file("figures", data, EXTENSIONS[found[1]])
        alt = html.unescape(alt[1]) if alt else ""
        self.figures.append(dict(file=name, alt=alt, width=width, height=height))
        rest = re.sub(r'\b(src|width|height|loading)="[^"]*"', "", found[0][4:-1]).strip()
        size = f'width="{width}" height="{height}"'
        return f'<img src="{self.up}{name}" {size} loading="lazy" {rest}>'

    def frame(self, found):
        "An explorer as a page of its own, shown here in its frame, with a link to it."
        name = self.file("live", html.unescape(found[2]).encode(), "html")
        title = re.search(r'title="([^"]*)"', found[1] + found[3])[1]
        height = re.search(r"height:(\d+)px", found[1] + found[3])
        where = self.up + name
        return (f'<iframe class="live" title="{title}" src="{where}" loading="lazy" '
                f'style="height:{height[1] if height else 760}px"></iframe>'
                f'<p class="live-link"><a href="{where}">{title} in a page of its own</a></p>')


# Outputs

def table(text, page):
    "A table of pandas or fastprogress: without its own style, and with no header that has nothing in it."
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.S)
    text = re.sub(r' (border|style|halign|valign)="[^"]*"', "", text)
    text = re.sub(r"<th([^>]*)>(?:\s|&nbsp;)*</th>", r"<td\1></td>", text)
    page.tables += 1  # each has a name of its own
    region = f'class="wide" tabindex="0" role="region" aria-label="Table {page.tables}"'
    return f"<div {region}>{text.strip()}</div>"

def check(result):
    "What a checker said, in the colours of the site."
    sign = {"unanswered": "…"}.get(result["kind"], "✓" if result["ok"] else "✗")
    kind = "open" if result["kind"] == "unanswered" else "good" if result["ok"] else "bad"
    name, message = html.escape(result["name"]), html.escape(result["message"])
    return f'<div class="check {kind}"><b>{sign} {name}</b>: {message}</div>'

def shown(output, page):
    "An output as the site shows it, or None."
    data = output.get("data", {})
    if CHECK in data:
        text = check(data[CHECK])
    elif "text/html" in data:
        text = nbs.joined(data["text/html"]).strip()
        if "<table" in text and "class=\"shipviz" not in text: text = table(text, page)
        text = PICTURE.sub(page.picture, FRAME.sub(page.frame, text))
        if not re.sub(r"<style.*?</style>", "", text, flags=re.S).strip(): return None
    elif kinds := [k for k in EXTENSIONS if k in data]:
        meta = output.get("metadata", {})
        alt = meta.get(kinds[0], {}).get("alt") or meta.get("alt") or ""
        picture = f'<img alt="{html.escape(alt)}" src="data:{kinds[0]};base64,{nbs.joined(data[kinds[0]])}">'
        text = PICTURE.sub(page.picture, picture)
    else: return output
    return {"output_type": "display_data", "metadata": {}, "data": {"text/html": f"<div>{text}</div>"}}


# Cells

def code(cell, page):
    "A code cell as the site shows it, or None: what only the machine needs is left out."
    told = nbs.directives(cell)
    if {"hide", "default_exp"} & set(told): return None
    lines = nbs.source(cell).splitlines()
    text = "\n".join(line for line in lines if not re.match(r"\s*#\s*\|", line)).strip("\n")
    outputs = [o for o in (shown(o, page) for o in cell.get("outputs", [])) if o]
    live = [o for o in outputs if 'class="live"' in nbs.joined(o.get("data", {}).get("text/html", ""))]
    outputs = live or outputs  # beside an explorer that works, no still picture of it
    folded, tags = cell.get("metadata", {}).get("jupyter", {}), []
    if told.get("echo") == "false" or "hide_input" in told: tags.append("remove-input")
    elif folded.get("source_hidden"): tags.append("hide-input")
    if folded.get("outputs_hidden"): tags.append("hide-output")
    if not text.strip() and not outputs: return None
    return dict(cell, source=text, outputs=outputs, metadata={"tags": tags})

LINK = re.compile(r"(?<!!)\[((?:[^][]|\[[^]]*\])*)\]\((?!https?:)([^)\s#]*)(#[^)\s]*)?\)")

def anchor(text):
    "`#Times,-and-no-GPU`, as Jupyter has it, in the form that the site gives its headings."
    return re.sub(r"[^\w#-]", "", text.lower())

def prose(text, page, known, modules):
    "Markdown with links that lead where the site has something; others become their text."
    def link(found):
        words, file, at = found[1], found[2], anchor(found[3] or "")
        if not file: return f"[{words}]({at})"
        where = (ROOT/"nbs"/page.path.parent/file).resolve()
        name = where.relative_to(ROOT/"nbs").as_posix() if where.is_relative_to(ROOT/"nbs") else None
        if name == "index.ipynb": return f"[{words}]({page.up}index.ipynb{at})"
        if name in known: return f"[{words}]({file}{at})"
        if name in modules: return f"[{words}]({page.up}api/{modules[name]}.md)"
        return words
    return LINK.sub(link, text)

def staged(nb, page, known, modules):
    "A notebook as MyST-NB shall read it."
    cells = []
    for cell in nb["cells"]:
        if cell["cell_type"] == "markdown":
            cells.append(dict(cell, source=prose(nbs.source(cell), page, known, modules), metadata={}))
        elif cell["cell_type"] == "code" and (new := code(cell, page)): cells.append(new)
    return dict(nb, cells=cells)


# Pages of the site's own

def first_lines(path):
    "Title, idea and minutes of a lesson, as its first cell has them."
    text = nbs.source(nbs.load(path)["cells"][0])
    find = lambda pattern: (re.search(pattern, text, re.M) or ["", ""])[1].strip()
    minutes = find(r"\*\*Time\*\*\D*(\d+) minutes")
    return dict(title=find(r"^# (.*)$"), idea=find(r"^> (.*)$"), minutes=minutes)

def numbered(paths, folder=""):
    "Entries of a tree, with the number of the lesson before its title."
    return [f"{int(p.name[:2])}. {first_lines(p)['title']} <{folder}{p.name}>" for p in paths]

def lessons_page(paths):
    "The list of lessons, with the idea of each; it holds the tree of the sidebar."
    rows = ["# Lessons", "", "Read them here with all their outputs, or run them: `pip install shipviz`, "
            "then `shipviz lessons my-lessons`. Where an output is folded, predict it first.", ""]
    for path in paths:
        facts = first_lines(path)
        rows += [f"{int(path.name[:2])}. **[{facts['title']}]({path.name})**, {facts['minutes']} minutes. "
                 f"{facts['idea']}"]
    return "\n".join([*rows, "", *tree(numbered(paths))])

def solutions_page(paths):
    rows = ["# Solutions", "", "Worked answers to the exercises of each lesson. Try them yourself first: "
            "the checkers say what is wrong with an answer.", ""]
    rows += [f"- [{first_lines(p)['title']}](solutions/{p.name})" for p in paths]
    return "\n".join([*rows, "", *tree(numbered(paths, "solutions/"))])

def tree(pages, *options):
    return ["```{toctree}", ":hidden:", *options, *pages, "```", ""]

def gallery_page(figures):
    "Pictures of every lesson: the four that show most, in their order."
    rows = ["# Gallery", "", "Figures of the lessons, as their cells made them, on rendered ships. Click "
            "a picture to open its lesson.", ""]
    for path, title, found in figures:
        most = sorted(found, key=lambda f: -f["width"]*f["height"])[:4]
        rows += [f"## {title}", "", '<div class="gallery">']
        rows += [f'<figure><a href="{path}.html"><img src="{f["file"]}" alt="{html.escape(f["alt"])}" '
                 f'width="{f["width"]}" height="{f["height"]}" loading="lazy"></a></figure>'
                 for f in found if f in most and f["alt"]]
        rows += ["</div>", ""]
    return "\n".join(rows)

EXPLORER = """# Live in your browser

<p class="start"><a href="live/explorer.html">Open the explorer</a> <span>{size:.0f} MB, once; then it works
offline</span></p>

![{alt}](pictures/explorer.webp)

A whole network, EfficientNet-Lite0, computes in this page, in your browser. Nothing is installed, and no
picture leaves your device: the page may not ask any host for anything, and its own policy says so.

- Take your own photo, drop one, or use the camera. Point at a class, of ImageNet's 1,000 or of the five
  ships: its heat appears.
- *How?* Scroll from the photo through every stage; open a map, and its real kernel walks over the picture
  under a lens.
- Paint over the photo and see what becomes of answer and heat: so a heatmap is put to the test.
- Rendered ships bring the truth along: the score of the heat, live, and a game: guess where the network
  looks.
- Let a 3×3 kernel learn, by gradient descent, before your eyes.

`shipviz explorer photo.jpg` writes the same page, with your photo in it, as one file to pass on.

**Just one kernel?** <a href="live/kernels.html">The kernel explorer</a> is a small page: nine weights to
drag, and the picture responds at once. It also stands in lessons [3](03_filters.ipynb) and
[5](05_stride.ipynb).
"""

HOME = [("Lessons", "lessons"), ("Explorer", "explorer"), ("Gallery", "gallery"), ("API", "api/index"),
        ("Glossary", "glossary"), ("Solutions", "solutions"), ("Teaching", "teachers/guide")]

def alt_text():
    "The alternative text of the moving picture, which stands once, in nbs/index.ipynb."
    text = "".join(map(nbs.source, nbs.load(nbs.NBS/"index.ipynb")["cells"]))
    return next(" ".join(m[3].split()) for m in nbs.MARK.finditer(text) if m[1] == "picture")

def home_page(page, known, modules):
    "The home page: nbs/index.ipynb, with what README.md has at its marks, and the tree of the whole site."
    def picture(name, alt): return f"[![{alt}](pictures/{name})](explorer.md)"
    nb = nbs.load(nbs.NBS/"index.ipynb")
    for cell in nb["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = nbs.with_marks(nbs.source(cell), picture, badges="")
    new = staged(nb, page, known, modules)
    links = "\n".join(tree(f"{name} <{where}>" for name, where in HOME))
    new["cells"].append({"cell_type": "markdown", "id": "tree", "metadata": {}, "source": links})
    return new

def live_pages(to):
    "The two pages of `shipviz explorer`, as the library writes them."
    from shipviz.network_page import network_page
    from shipviz.ships import render_ship
    from shipviz.widgets import explorer_page
    to.mkdir(parents=True, exist_ok=True)
    explorer_page(to/"kernels.html", render_ship("Cargo", seed=14, size=(300, 450)).image)
    return network_page(to/"explorer.html").stat().st_size


def stage(to=SOURCE):
    "Write all that Sphinx reads; the names of the pages."
    shutil.rmtree(to, ignore_errors=True)
    (to/"extra").mkdir(parents=True)
    paths = [p for pattern in PAGES for p in sorted(nbs.NBS.glob(pattern))]
    known = {p.relative_to(nbs.NBS).as_posix() for p in paths}
    modules = {files[0]: m for m, files in nbs.exporters(nbs.NBS, default_only=True).items()}
    figures = []
    for path in paths:
        page = Page(path.relative_to(nbs.NBS), to)
        nbs.write(to/page.path, nbs.as_text(staged(nbs.load(path), page, known, modules)))
        if path.parent == nbs.NBS and page.figures:
            figures.append((path.stem, first_lines(path)["title"], page.figures))
    nbs.write(to/"index.ipynb", nbs.as_text(home_page(Page("index.ipynb", to), known, modules)))
    lessons, solutions = ([p for p in paths if p.parent == nbs.NBS/folder and p.name[0].isdigit()]
                          for folder in ("", "solutions"))
    (to/"pictures").mkdir()
    shutil.copy(nbs.IMAGES/"explorer.webp", to/"pictures")
    size = live_pages(to/"extra"/"live")
    own = {"lessons.md": lessons_page(lessons), "solutions.md": solutions_page(solutions),
           "gallery.md": gallery_page(figures), "explorer.md": EXPLORER.format(size=size/1e6, alt=alt_text()),
           **api.pages(nbs, lessons)}
    for name, text in own.items(): nbs.write(to/name, text)


def repaired(page):
    "What Sphinx writes and screen readers stumble over: headers with nothing in them, lists without terms."
    page = re.sub(r'<th class="head([^"]*)">(?:<p></p>)?</th>', r'<td class="head\1"></td>', page)
    lines = re.compile(r'<dl>\s*((?:<dd><(?:em|span) class="sig-param.*?</dd>\s*)+)</dl>', re.S)
    def plain(found):
        text = found[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")
        return f'<span class="sig-lines">{text}</span>'
    return lines.sub(plain, page)

def build(source=SOURCE, out=OUT):
    "Pages from the sources, put in their place when all are made; what Sphinx warns of ends the build."
    made = source.parent/"pages"
    shutil.rmtree(made, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-c", str(HERE), "-W", "--keep-going", "-q", "-j", "auto",
               "-d", str(source.parent/"doctrees"), str(source), str(made)]
    if subprocess.run(command).returncode: sys.exit("The site is not whole: see above.")
    for path in made.rglob("*.html"):
        if path.parent.name != "live": nbs.write(path, repaired(path.read_text(encoding="utf-8")))
    (made/".buildinfo").unlink(missing_ok=True)
    (made/".nojekyll").touch()  # GitHub Pages would leave out folders whose names begin with _
    shutil.rmtree(out, ignore_errors=True)
    made.rename(out)
    pages = list(out.rglob("*.html"))
    size = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
    print(f"wrote {len(pages)} pages, {size/1e6:.0f} MB, to {out.name}/: begin with {out.name}/index.html")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", action="store_true", help="only the sources")
    args = parser.parse_args()
    try: stage()
    except nbs.Broken as e: sys.exit(str(e))
    if not args.stage: build()
