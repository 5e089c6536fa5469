#!/usr/bin/env python
"""Which module uses which, and how many lines each has: writes both into CONTRIBUTING.md.

Modules that belong together are one node of the picture; an arrow that follows from others is left out."""
import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NODES = {
    "renderer": "arsenal carriers coast fittings land liners masts merchants navy plans scene shading ships "
                "shipyard solids tankers workers",
    "datasets": "datasets rendered tables",
    "kernels": "kernels padding walk",
    "learners": "archs cards learners runs",
    "fast": "fast folded",
    "engine": "arguments attention calls engine gradients inputs methods outputs overlays perturbation "
              "relevance tracing",
    "interpretation": "answers interpretation",
    "report": "panels photos report",
    "streams": "cluster gallery labelled parts predictions saved_maps sources stream",
    "widgets": "controls explorer_pages kernel_explorer widgets",
    "page": "network_page packed",
    "causes": "causes counterfactuals",
}
NODE_OF = {module: node for node, modules in NODES.items() for module in modules.split()}


def modules():
    return [p for p in sorted((ROOT/"shipviz").glob("*.py")) if not p.stem.startswith("_")]

def used_by(path):
    "The modules of shipviz that a module imports anywhere, also late inside a function."
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom): continue
        name = node.module or ""
        if node.level == 1 or name.startswith("shipviz."): yield name.removeprefix("shipviz.").split(".")[0]

def arrows():
    "{node: the nodes that it uses}, without those that follow from others."
    uses = defaultdict(set)
    known = {p.stem for p in modules()}
    for path in modules():
        node = NODE_OF.get(path.stem, path.stem)
        uses[node] |= {NODE_OF.get(m, m) for m in used_by(path) if m in known} - {node}
    def below(node, seen):
        for other in uses[node] - seen:
            seen.add(other)
            below(other, seen)
        return seen
    everything = {node: {other: below(other, set()) for other in used}
                  for node, used in list(uses.items())}
    return {node: [m for m in sorted(used) if not any(m in b for o, b in used.items() if o != m)]
            for node, used in sorted(everything.items())}

def text():
    picture = [f"  {node} --> {other}" for node, used in arrows().items() for other in used]
    lengths = {p.stem: len(p.read_text(encoding="utf-8").splitlines()) for p in modules()}
    rows = [f"| {node} | " + ", ".join(f"`{m}` {lengths[m]}" for m in names.split()) + " |"
            for node, names in NODES.items()]
    alone = ", ".join(f"`{m}` {n}" for m, n in lengths.items() if m not in NODE_OF)
    heading = "Where one name of the picture stands for several modules, and how many lines each has:"
    return "\n".join(["```mermaid", "graph BT", *picture, "```", "",
                      heading, "", "| | modules |", "|---|---|", *rows, f"| by themselves | {alone} |"])

def main():
    path = ROOT/"CONTRIBUTING.md"
    page = path.read_text(encoding="utf-8")
    found = re.search(r"```mermaid\n.*?\n\n(?=`shipviz\.heatmaps` and all below)", page, re.S)
    path.write_text(page[:found.start()] + text() + "\n\n" + page[found.end():], encoding="utf-8")


if __name__ == "__main__": main()
