"""Pages of the API reference: signature, words and parameters of everything that the modules export.

All of it is in the source: nbdev's comment behind each parameter (docments), the docstring, `__all__`."""
import ast
import html
import importlib
import inspect
import re

from fastcore.docments import docments


def module_names(root):
    "The modules of the package that notebooks or hands wrote, without private ones."
    return [p.stem for p in sorted((root/"shipviz").glob("*.py")) if not p.stem.startswith("_")]

def stub_names(root):
    "{name: its module} of what `import shipviz` offers."
    tree = ast.parse((root/"shipviz"/"__init__.pyi").read_text(encoding="utf-8"))
    return {a.name: n.module for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}

def first_sentence(text):
    "The first sentence of a docstring, on one line."
    lines = (text or "").strip().split("\n\n")[0]
    return re.split(r"(?<=[.!?])\s(?=[A-Z`])", " ".join(lines.split()), maxsplit=1)[0]


# One thing: a function, a class, a method, a value

def definition(thing):
    "The node of a function or class in its source, or None."
    try: source = inspect.getsource(thing)
    except (OSError, TypeError): return None
    try: node = ast.parse(inspect.cleandoc(source) if source[0] in " \t" else source).body[0]
    except SyntaxError: return None
    return node if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else None

def arguments(node, method=False):
    "A signature as it is written, without `self`."
    if node is None: return "()"
    args = node.args
    if method:
        first = args.posonlyargs or args.args
        if first and first[0].arg in ("self", "cls"): first.pop(0)
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"({ast.unparse(args)}){result}"

def parameters(thing):
    "The table of parameters that have a comment of their own, or nothing."
    try: found = docments(thing, full=True)
    except Exception: return []  # a builtin, or a class without __init__
    rows = []
    for name, facts in found.items():
        if name in ("self", "cls") or not facts.get("docment"): continue
        words = " ".join(str(facts["docment"]).split())
        rows.append(f"| {'*returns*' if name == 'return' else f'`{name}`'} | {cell(words)} |")
    return ["| parameter | meaning |", "|:--|:--|", *rows, ""] if rows else []

def cell(text): return text.replace("|", r"\|")

def escaped(text):
    "Text of a docstring that Markdown shall not read as HTML; code in backticks stays."
    parts = re.split(r"(`[^`]*`)", text)
    plain = lambda p: re.sub(r"([*$])", r"\\\1", html.escape(p, quote=False))
    return "".join(p if p.startswith("`") else plain(p) for p in parts)

def words(thing):
    "The docstring as Markdown."
    text = inspect.getdoc(thing) or ""
    blocks = []
    for block in text.split("\n\n"):
        code = block.startswith("    ")
        blocks.append(f"```python\n{inspect.cleandoc(block)}\n```" if code else escaped(block))
    return "\n\n".join(blocks)

def directive(kind, signature, module, body, fence="````"):
    return [f"{fence}{{py:{kind}}} {signature}", f":module: {module}", "", *body, fence, ""]

def function(name, thing, module):
    signature = name + arguments(definition(thing))
    return directive("function", signature, module, [words(thing), "", *parameters(thing)])

def klass(name, thing, module):
    "A class: how it is made, and its own public methods and properties."
    own = vars(thing)
    init = own.get("__init__")
    signature = name + (arguments(definition(init), method=True) if inspect.isfunction(init) else "")
    body = [words(thing), "", *(parameters(thing) if inspect.isfunction(init) else [])]
    for method, what in own.items():
        if method.startswith("_"): continue
        inner = what.__func__ if isinstance(what, (classmethod, staticmethod)) else what
        if inspect.isfunction(inner) and inner.__doc__:
            kind = {classmethod: "classmethod", staticmethod: "staticmethod"}.get(type(what), "method")
            text = arguments(definition(inner), method=kind != "staticmethod")
            inside = [words(inner), "", *parameters(inner)]
            body += directive(kind, method + text, module, inside, fence="```")
        elif isinstance(what, property) and what.fget.__doc__:
            body += directive("property", method, module, [words(what)], fence="```")
    return directive("class", signature, module, body)

def value(name, thing, module):
    "A constant: its kind and, if it is short, what it is."
    text = repr(thing)
    if isinstance(thing, (set, frozenset)):  # in one order on every machine
        text = f"{{{', '.join(map(repr, sorted(thing)))}}}"
    if len(text) < 200 and " at 0x" not in text: shown = f"`{text}`"
    elif isinstance(thing, dict) and len(thing) < 60:
        shown = "With " + ", ".join(f"`{k}`" for k in thing) + "."
    else: shown = f"A `{type(thing).__name__}`."
    return directive("data", name, module, [shown])

def entry(name, thing, module):
    if inspect.isclass(thing): return klass(name, thing, module)
    if callable(thing): return function(name, thing, module)
    return value(name, thing, module)


# Pages

def exported(module):
    "What a module has in `__all__`, with the module where each is defined."
    found = {}
    for name in getattr(module, "__all__", ()):
        thing = getattr(module, name)
        home = getattr(thing, "__module__", None) if callable(thing) else None
        found[name] = (thing, home if str(home).startswith("shipviz.") else None)
    return found

def homes(loaded):
    "{(name, id): module} of values, which do not know where they are from: the first module to define them."
    known = {}
    for short, module in loaded.items():
        source = inspect.getsource(module)
        for name, (thing, home) in exported(module).items():
            if home is None and re.search(rf"^{re.escape(name)}\b.*=", source, re.M):
                known.setdefault((name, id(thing)), f"shipviz.{short}")
    return known

def module_page(short, module, known, has_page):
    "One module: what it is for, what it defines, and what it passes on from others."
    full = f"shipviz.{short}"
    body, passed = [], []
    for name, (thing, home) in exported(module).items():
        home = home or known.get((name, id(thing)), full)
        if home == full or home.removeprefix("shipviz.") not in has_page: body += entry(name, thing, full)
        else: passed.append(f"[`{name}`](#{home}.{name})")
    page = [f"# {full}", "", escaped(inspect.getdoc(module) or ""), "",
            f"```{{py:module}} {full}", "```", "", *body]
    if passed: page += ["From other modules, here too: " + ", ".join(passed) + ".", ""]
    return "\n".join(page)

def pages(nbs, lessons):
    "{file: text} of the reference."
    shorts = module_names(nbs.ROOT)
    loaded = {s: importlib.import_module(f"shipviz.{s}") for s in shorts}
    loaded = {s: m for s, m in loaded.items() if getattr(m, "__all__", None)}
    known = homes(loaded)
    made = {f"api/{s}.md": module_page(s, m, known, loaded) for s, m in loaded.items()}
    stub = stub_names(nbs.ROOT)
    rows = ["# API", "", "`import shipviz as sv` offers what most programs need. All else is in the modules: "
            "`from shipviz.kernels import im2col`.", "", "| name | what it does |", "|:--|:--|"]
    for name, short in stub.items():
        thing = getattr(importlib.import_module(f"shipviz.{short}"), name)
        told = first_sentence(inspect.getdoc(thing)) if callable(thing) else f"`{cell(repr(thing))}`"
        home = getattr(thing, "__module__", None) if callable(thing) else known.get((name, id(thing)))
        home = home or f"shipviz.{short}"
        told = cell(told if told.startswith("`") else escaped(told))
        rows.append(f"| [`sv.{name}`](#{home}.{name}) | {told} |")
    by_file = nbs.exporters(nbs.NBS, default_only=True)
    of_lesson = {m: files[0] for m, files in by_file.items() if not files[0].startswith("library")}
    rows += ["", "## Modules of the lessons", "", "| lesson | module | |", "|--:|:--|:--|"]
    rows += [f"| [{int(file[:2])}](../{file}) | [`shipviz.{m}`]({m}.md) | {cell(about(loaded[m]))} |"
             for m, file in sorted(of_lesson.items(), key=lambda mf: mf[1]) if m in loaded]
    rows += ["", "## Machinery", "", "| module | |", "|:--|:--|"]
    rows += [f"| [`shipviz.{m}`]({m}.md) | {cell(about(loaded[m]))} |" for m in loaded if m not in of_lesson]
    rows += ["", "```{toctree}", ":hidden:", *loaded, "```", ""]
    return {"api/index.md": "\n".join(rows), **made}

def about(module): return escaped(first_sentence(inspect.getdoc(module)))
