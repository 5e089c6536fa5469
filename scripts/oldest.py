"""Print the oldest versions that settings.ini allows, as constraints for pip.

    python scripts/oldest.py >oldest.txt
    python3.10 -m venv .oldest
    .oldest/bin/pip install -c oldest.txt . && .oldest/bin/shipviz doctor

The workflow `versions.yml` does so once a week."""
import re
import sys
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]


def oldest(
    *lists:str, # keys of settings.ini that end in _requirements, without that; '' for `requirements`
)->list[str]: # 'name==version', sorted
    "The least version of each package that has one. Raises ValueError for a package without."
    config = ConfigParser(delimiters=["="])
    config.read(ROOT/"settings.ini", encoding="utf-8")
    found = set()
    for name in lists:
        for requirement in config["DEFAULT"][f"{name}_requirements".lstrip("_")].split():
            match = re.fullmatch(r"([\w.-]+)(>=|==)([\w.]+)(,<[\w.]+)?", requirement)
            if not match: raise ValueError(f"{requirement} in settings.ini: write NAME>=VERSION")
            found.add(f"{match[1]}=={match[3]}")
    return sorted(found)


if __name__ == "__main__":
    print("\n".join(oldest("", *sys.argv[1:])))
