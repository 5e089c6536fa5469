"What Sphinx and MyST-NB make of build/site/. Nothing here may let a page ask another host for anything."
import configparser
from html import escape
from pathlib import Path

from latex2mathml.converter import convert

ROOT = Path(__file__).resolve().parents[2]
_settings = configparser.ConfigParser(delimiters=["="])
_settings.read(ROOT/"settings.ini", encoding="utf-8")
_about = _settings["DEFAULT"]

project, author, release = _about["lib_name"], _about["author"], _about["version"]
copyright = _about["copyright"]
extensions = ["myst_nb", "sphinx_copybutton"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4
myst_update_mathjax = False
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # these two scripts would come from another host; no widget needs them here
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
nb_output_stderr = "show"
add_module_names = False
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True
suppress_warnings = ["ref.python"]  # a type of two modules (`Plan`): the first is linked

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["static"]
html_css_files = ["shipviz.css"]
html_favicon = "static/icon.svg"
html_extra_path = [str(ROOT/"build"/"site"/"extra")]
html_copy_source = False
html_domain_indices = False
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_sidebars = {"index": [], "gallery": [], "explorer": [], "glossary": [], "teachers/*": []}
html_theme_options = {
    "logo": {"text": project, "alt_text": "",
             "image_light": "_static/icon.svg", "image_dark": "_static/icon.svg"},
    "header_links_before_dropdown": 7,
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_center": [],
    "footer_end": ["sphinx-version"],
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    **({"github_url": _about["home"]} if _about["home"] else {}),
}
exclude_patterns = ["extra"]
copybutton_exclude = ".linenos, .gp, .go"
html_math_renderer = "mathml"


# Formulas as MathML, made here: browsers draw it, screen readers read it, no script is needed

def mathml(latex, display):
    return convert(latex, display=display).replace("<math ", f'<math alttext="{escape(latex)}" ', 1)

def inline_math(self, node):
    from docutils.nodes import SkipNode
    self.body.append(mathml(node.astext(), "inline"))
    raise SkipNode

def block_math(self, node):
    from docutils.nodes import SkipNode
    formula = mathml(node.astext(), "block")
    self.body.append(f'<div class="math" tabindex="0" role="group" aria-label="A formula">{formula}</div>')
    raise SkipNode

def setup(app):
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
