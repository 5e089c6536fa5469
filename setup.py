"The package as settings.ini describes it, with the lessons of nbs/ inside it as shipviz/lessons/."
import re
import shutil
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_namespace_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
config = ConfigParser(delimiters=["="])
config.read(ROOT/"settings.ini", encoding="utf-8")
cfg = config["DEFAULT"]
home = cfg["home"]  # empty: the project has no public address yet, and nothing may point to one


class BuildWithLessons(build_py):
    "Puts the notebooks into the wheel. An editable install uses those of nbs/ where they are."

    def run(self):
        super().run()
        if getattr(self, "editable_mode", False): return
        to = Path(self.build_lib)/"shipviz"/"lessons"
        shutil.rmtree(to, ignore_errors=True)
        shutil.copy(ROOT/"constraints.txt", to.parent)  # for `shipviz doctor`
        shutil.copytree(ROOT/"nbs", to, ignore=shutil.ignore_patterns(".*", "_*", "*.tmp", "library"))


def long_description():
    "README.md with its pictures and links by their full address, since PyPI has only the text."
    text = (ROOT/"README.md").read_text(encoding="utf-8")
    if not home: return text
    text = re.sub(r"(!\[[^]]*\]\()(?!https?:)", rf"\1{home}/raw/{cfg['branch']}/", text)
    link = r"((?<!!)\[(?:!\[[^]]*\]\([^)]*\)|[^]]*)\]\()(?!https?:|#)"  # of words or of a picture
    return re.sub(link, rf"\1{home}/blob/{cfg['branch']}/", text)


setup(
    name=cfg["lib_name"], version=cfg["version"], description=cfg["description"],
    long_description=long_description(), long_description_content_type="text/markdown",
    author=cfg["author"], keywords=cfg["keywords"].split(),
    **(dict(url=home, project_urls={"Issues": f"{home}/issues"}, author_email=cfg["author_email"])
       if home else {}),
    license="Apache-2.0 AND CC-BY-4.0", license_files=["LICENSE", "LICENSE-text"],
    python_requires=">=" + cfg["min_python"],
    classifiers=["Development Status :: 4 - Beta", "Intended Audience :: Education", "Framework :: Jupyter",
                 "Natural Language :: English", "Topic :: Scientific/Engineering :: Artificial Intelligence",
                 *(f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 15))],
    packages=find_namespace_packages(include=["shipviz", "shipviz.*"]), include_package_data=True,
    cmdclass={"build_py": BuildWithLessons},
    install_requires=cfg["requirements"].split(),
    extras_require={name.removesuffix("_requirements"): cfg[name].split() for name in cfg
                    if name.endswith("_requirements") and name != "core_requirements"},
    package_data={"shipviz": ["*.html", "*.css", "*.js", "*.pyi", "py.typed", "weights/*", "page/*"]},
    entry_points={"console_scripts": cfg["console_scripts"].split("\n"),
                  "nbdev": ["shipviz=shipviz._modidx:d"]},
    zip_safe=False,
)
