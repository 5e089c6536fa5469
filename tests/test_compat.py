"The torchvision repair: needed and made, not needed and not made, not its business and passed on."
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Stand-ins for torchvision: each logs how often it was run, and `torch` is real.
HEAD = "import sys, torch\nsys.runs = getattr(sys, 'runs', 0) + 1\nfrom . import extension\n"
NEEDS_NMS = HEAD + "from . import meta\n"
META = """import torch
def shape(dets, scores, iou_threshold): return dets
for op in ('nms', 'qnms'): torch.library.register_fake(f'torchvision::{op}')(shape)
"""
MISSING = "operator torchvision::nms does not exist"


def fake(folder, init, **submodules):
    pkg = folder/"torchvision"
    pkg.mkdir(parents=True)
    (pkg/"__init__.py").write_text(init)
    for name, text in {"extension": "", **submodules}.items(): (pkg/f"{name}.py").write_text(text)
    return folder


def python(code, folder=None):
    "Run `code` in a process of its own, with `folder` before everything else on its path."
    path = [str(p) for p in (folder, ROOT) if p]
    code = f"import sys; sys.path[:0] = {path!r}\n" + textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL)


def ok(result):
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_mismatched_pair_is_repaired(tmp_path):
    out = ok(python("""
        import shipviz, torchvision, torch
        print(sys.runs, torchvision.meta.__name__, torch.ops.torchvision.nms.default._schema.name)
        """, fake(tmp_path, NEEDS_NMS, meta=META)))
    assert out == ["2", "torchvision.meta", "torchvision::nms"]


def test_mismatched_pair_tried_before_shipviz_is_repaired(tmp_path):
    out = ok(python("""
        try: import torchvision
        except RuntimeError as e: assert str(e) == 'operator torchvision::nms does not exist', e
        else: raise SystemExit('the stand-in should have failed')
        import shipviz, torchvision
        print(sys.runs, torchvision.meta.__name__)
        """, fake(tmp_path, NEEDS_NMS, meta=META)))
    assert out == ["3", "torchvision.meta"]


def test_matching_pair_is_untouched(tmp_path):
    out = ok(python("""
        import shipviz, torchvision, torch
        print(sys.runs, hasattr(torch.ops.torchvision, 'nms'), shipviz.__version__)
        """, fake(tmp_path, HEAD)))
    assert out[:2] == ["1", "False"]


def test_already_imported_torchvision_is_left_alone(tmp_path):
    assert ok(python("""
        import torchvision
        before = torchvision
        import shipviz, torchvision
        print(sys.runs, torchvision is before)
        """, fake(tmp_path, HEAD))) == ["1", "True"]


OTHER = ["RuntimeError('operator torchvision::roi_align does not exist')",
         f"RuntimeError('{MISSING}, really')", f"ValueError('{MISSING}')",
         "ImportError('no libjpeg')", "RuntimeError('CUDA version mismatch')"]

def test_other_failures_are_passed_on_unchanged(tmp_path):
    folders = [str(fake(tmp_path/str(i), HEAD + f"raise {error}")) for i, error in enumerate(OTHER)]
    out = ok(python(f"""
        import shipviz, torch
        for folder in {folders}:
            sys.path[0] = folder
            try: import torchvision
            except Exception as e: print(sys.runs, repr(e), e.__cause__, e.__context__)
            assert not hasattr(torch.ops.torchvision, 'nms') and 'torchvision' not in sys.modules
        """, tmp_path))
    assert " ".join(out) == " ".join(f"{n} {eval(error)!r} None None" for n, error in enumerate(OTHER, 1))


def test_failure_of_the_second_try_is_passed_on(tmp_path):
    package = fake(tmp_path, NEEDS_NMS, meta=META + "raise OSError('still broken')")
    result = python("import shipviz, torchvision", package)
    assert result.returncode == 1 and result.stderr.strip().endswith("OSError: still broken")


def test_torchvision_missing_stays_missing():
    out = ok(python("""
        import shipviz
        sys.path = [p for p in sys.path if 'site-packages' not in p]
        try: import torchvision
        except ModuleNotFoundError as e: print(e.name)
        """))
    assert out == ["torchvision"]


def test_the_pair_installed_here():
    out = ok(python("import shipviz\nfrom fastai.vision.all import *\nimport torchvision\n"
                    "print(*torchvision.models.resnet18()(torch.zeros(1, 3, 64, 64)).shape)"))
    assert out == ["1", "1000"]


def test_the_pair_installed_here_tried_before_shipviz():
    ok(python("""
        try: import torchvision
        except RuntimeError: pass
        import shipviz
        import torchvision
        torchvision.models.resnet18()"""))


def test_import_is_light():
    out = ok(python("""
        import shipviz
        heavy = {'torch', 'torchvision', 'numpy', 'fastai', 'PIL'}
        print(sorted(heavy & set(sys.modules)))"""))
    assert out == ["[]"]
