"What scripts/site/ makes of notebooks and modules, before Sphinx reads it; tests/test_site.py has the pages."
import base64
import importlib.util
import io
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
pytest.importorskip("nbdev", reason="needs the development tools")


def script(name):
    "A script of the site, loaded; `sys.path` stays as it was."
    file = ROOT/"scripts"/"site"/f"{name}.py"
    before, spec = sys.path[:], importlib.util.spec_from_file_location(f"site_{name}", file)
    module = importlib.util.module_from_spec(spec)
    try: spec.loader.exec_module(module)
    finally: sys.path[:] = before
    return module

build, api = script("build"), script("api")

@pytest.fixture
def page(tmp_path): return build.Page("solutions/02_kernels.ipynb", tmp_path)

def png(size=(4, 3)):
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, "png")
    return base64.b64encode(file.getvalue()).decode()

def html(text): return {"output_type": "display_data", "metadata": {}, "data": {"text/html": [text]}}
def shown(output, page): return build.shown(output, page)["data"]["text/html"]
def code(source, outputs=(), **jupyter):
    return {"cell_type": "code", "source": source, "outputs": list(outputs), "metadata": {"jupyter": jupyter}}


def test_a_picture_becomes_a_file_with_words_and_size(page, tmp_path):
    text = shown(html(f'<img alt="A &lt;red&gt; ship" src="data:image/png;base64,{png()}">'), page)
    name = re.search(r'src="\.\./(figures/solutions-02_kernels-\w{10}\.png)"', text)[1]
    assert Image.open(tmp_path/"extra"/name).size == (4, 3)
    assert 'width="4" height="3" loading="lazy" alt="A &lt;red&gt; ship"' in text
    assert page.figures[0]["alt"] == "A <red> ship"

def test_a_picture_without_html_keeps_its_words(page):
    output = {"output_type": "display_data", "data": {"image/png": png()},
              "metadata": {"image/png": {"alt": 'Three "maps"'}}}
    assert 'alt="Three &quot;maps&quot;"' in shown(output, page)

def test_an_explorer_becomes_a_page_of_its_own(page, tmp_path):
    text = shown(html('<iframe title="Kernel explorer" srcdoc="&lt;p&gt;&amp;amp;" style="height:70px">'
                      '</iframe>'), page)
    name = re.search(r'href="\.\./(live/[\w-]+\.html)">Kernel explorer in a page of its own', text)[1]
    assert (tmp_path/"extra"/name).read_text() == "<p>&amp;"
    assert "srcdoc" not in text and "height:70px" in text and 'title="Kernel explorer"' in text

def test_tables_and_checkers_leave_their_colours(page):
    text = shown(html('<style scoped>th {color: red}</style><table border="1"><tr style="text-align: right">'
                      '<th></th><th>loss</th></tr></table>'), page)
    assert "style" not in text and "border" not in text and "<td></td><th>loss</th>" in text
    said = {"kind": "wrong", "message": "a < b", "name": "im2col", "ok": False}
    text = shown({"output_type": "display_data", "metadata": {}, "data": {build.CHECK: said}}, page)
    assert '<div class="check bad"><b>✗ im2col</b>: a &lt; b</div>' in text

def test_what_sphinx_writes_is_repaired():
    line = '<dd><em class="sig-param"><span class="n">x</span></em>,</dd>\n'
    page = f'<th class="head text-left"><p></p></th><dl>\n{line}{line}</dl><dl><dt>a</dt><dd>b</dd></dl>'
    text = build.repaired(page)
    assert text.startswith('<td class="head text-left"></td><span class="sig-lines"><span class="sig-line">')
    assert text.count("sig-line\"") == 2 and text.endswith("<dl><dt>a</dt><dd>b</dd></dl>")

def test_what_shows_nothing_is_left_out(page):
    assert build.shown(html(""), page) is None
    assert build.shown(html("<style>progress { width: 3px }</style>"), page) is None

def test_cells(page):
    assert build.code(code("#| hide\nassert True"), page) is None
    assert build.code(code("#| default_exp kernels"), page) is None
    kept = build.code(code("#| export\ndef f(): pass", source_hidden=True, outputs_hidden=True), page)
    assert kept["source"] == "def f(): pass" and kept["metadata"]["tags"] == ["hide-input", "hide-output"]
    frame = html('<iframe title="Explorer" srcdoc="&lt;p&gt;" style="height:70px"></iframe>')
    live = build.code(code("show_explorer()", [frame, html("<p>a still picture</p>")]), page)["outputs"]
    assert len(live) == 1 and "live/" in live[0]["data"]["text/html"]
    kept = build.code(code("#| echo: false\nf()", [html("<p>1</p>")]), page)
    assert kept["metadata"]["tags"] == ["remove-input"]

def test_links_lead_where_the_site_has_something(page):
    modules = {"library/15a_interpretation.ipynb": "interpretation"}
    prose = lambda text: build.prose(text, page, {"03_filters.ipynb", "glossary.ipynb"}, modules)
    assert prose("[next](../03_filters.ipynb#Two-signs)") == "[next](../03_filters.ipynb#two-signs)"
    assert prose("[up](../index.ipynb)") == "[up](../index.ipynb)"
    assert prose("[here](#Times,-and-no-GPU)") == "[here](#times-and-no-gpu)"
    assert prose("[code](../library/15a_interpretation.ipynb)") == "[code](../api/interpretation.md)"
    assert prose("The [answers](../teachers/exam_answers.ipynb).") == "The answers."
    assert prose("[paper](https://arxiv.org/abs/1512.04150)") == "[paper](https://arxiv.org/abs/1512.04150)"

def test_the_exam_is_no_page():
    paths = [str(p) for pattern in build.PAGES for p in build.nbs.NBS.glob(pattern)]
    assert any(p.endswith("guide.ipynb") for p in paths) and not [p for p in paths if "exam" in p]

def test_a_function_in_the_reference():
    from shipviz.heatmaps import heatmap
    text = "\n".join(api.entry("heatmap", heatmap, "shipviz.heatmaps"))
    assert "{py:function} heatmap(model: Model, images: Images, " in text and ") -> Heatmaps" in text
    assert "| `method` | a name in `METHODS` |" in text

def test_a_class_and_a_value_in_the_reference():
    from shipviz.heatmaps import COUNTS, Hook
    text = "\n".join(api.entry("Hook", Hook, "shipviz.heatmaps"))
    assert "{py:class} Hook(module: nn.Module)" in text and "| `module` | which returns a tensor |" in text
    assert "{'copies', 'n', 'stride', 'window'}" in "\n".join(api.entry("COUNTS", COUNTS, "shipviz.heatmaps"))

def test_docstrings_are_no_html_and_no_formula():
    assert api.escaped("a < b *not* `c < *d*` $1") == r"a &lt; b \*not\* `c < *d*` \$1"
    assert api.first_sentence("One thing, e.g. this. Another.\n\nMore.") == "One thing, e.g. this."

def test_formulas():
    pytest.importorskip("latex2mathml", reason="the extra `site` is not installed")
    text = script("conf").mathml(r"w^k_c < 1", "inline")
    assert text.startswith('<math alttext="w^k_c &lt; 1"') and "<msubsup>" in text

@pytest.mark.parametrize("path", sorted((ROOT/".github"/"workflows").glob("*.yml")), ids=lambda p: p.stem)
def test_workflows_may_little_and_pin_what_they_use(path):
    text = path.read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)", text)
    assert used and all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name) for name in used)
    assert "permissions: {contents: read}" in text.split("jobs:")[0]
