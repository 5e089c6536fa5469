"""Kill every kind of work at random moments, and fill its disk: kills.py [TRIES] [TASK]...

After each try: nothing half is taken for whole, nothing old is lost, no process is left, and the same work
done once more completes with the same result and leaves nothing behind. One process imports everything and
forks for each try, so a try begins with the work. Linux and macOS; full disks only where
file systems may be mounted."""
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

PAGE = 4096
SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGKILL


# The work: each function does it in the folder it is called in, which `prepare` has filled

def photos(n=3, size=(400, 300)):
    import numpy as np
    from PIL import Image
    for i in range(n):
        pixels = np.random.default_rng(i).integers(0, 255, (size[1]//20, size[0]//20, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize(size).save(f"photo{i}.jpg")

def ships(n=25):
    from shipviz.datasets import make_ships
    make_ships("ships", n=n, n_test=0, size=48, difficulty="easy", progress=False, workers=1)

def small():
    "A network that answers fast."
    from shipviz.models import train_on
    ships()
    train_on("ships", size=48, epochs=1, out="small", progress=False)

def old(*names):
    "Results of an earlier run, which must not be lost."
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("old")

def command(*args):
    from shipviz.cli import main
    main([*args], standalone_mode=True)

def render():
    from shipviz.datasets import make_ships
    make_ships("out", n=40, n_test=5, size=64, progress=False, workers=2)

def train():
    from shipviz.models import train_on
    train_on("ships", size=48, epochs=2, out="out", force=True, every=0, progress=False)

PHOTOS = "photo0.jpg", "photo1.jpg", "photo2.jpg"

def predict(): command("predict", "real-ships", *PHOTOS, "-o", "out.csv", "--force")

def heatmaps(): command("heatmap", "imagenet", *PHOTOS, "-o", "out", "--force")

def report(): command("report", "small", "ships", "-o", "out", "-n", "5", "--force")

def lessons(): command("lessons", "out", "--no-open", "--force")

def explorer(): command("explorer", "photo0.jpg", "-o", "out.html", "--force")

TASKS = {"render": (render, lambda: None), "train": (train, ships),
         "predict": (predict, lambda: (photos(), old("out.csv"))),
         "heatmaps": (heatmaps, lambda: (photos(), old("out/photo1-heatmap.png", "out/mine.txt"))),
         "report": (report, lambda: (small(), old("out/report.html", "out/mine.txt"))),
         "lessons": (lessons, lambda: old("out/mine.txt")),
         "explorer": (explorer, lambda: (photos(1), old("out.html")))}


# What is there

def digest(path):
    "What counts of a file: of a model its weights, for the card tells how long the training took."
    data = path.read_bytes()
    if path.suffix == ".safetensors":
        header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
        return json.loads(header["__metadata__"]["shipviz"])["tensors"]
    if path.name == "out.json": return json.loads(data)["tensors"]
    return hashlib.sha256(data).hexdigest()

def outputs(folder):
    "{name: what counts of it} of all that was written, hidden leftovers included."
    found = [p for p in Path(folder).rglob("*") if p.is_file() and p.relative_to(folder).parts[0] != "home"]
    return {str(p.relative_to(folder)): p for p in found if p.name != ".lock"}

def taken(paths):
    "Bytes that files take of a disk, which gives them in whole pages."
    return sum(-(-p.stat().st_size//PAGE)*PAGE for p in paths)

def leftovers(folder):
    "Files of interrupted work, in the folder and in its cache."
    def left(p): return ".tmp" in p.name or p.parent.name == "training" and p.suffix != ".lock"
    return [p for p in Path(folder).rglob("*") if left(p)]

def marked(token):
    "Processes whose environment holds the token."
    if not Path("/proc").is_dir():
        listed = subprocess.run(["ps", "axEww", "-o", "pid,command"], capture_output=True, text=True).stdout
        return [line for line in listed.splitlines() if token in line]
    found = []
    for p in Path("/proc").iterdir():
        try:
            other = p.name.isdigit() and int(p.name) != os.getpid()
            if other and token.encode() in (p/"environ").read_bytes(): found.append(int(p.name))
        except OSError: pass  # it has just ended, or is not ours
    return found


# One try

def start(work, folder, token):
    "Do the work in a child; its process id."
    pid = os.fork()
    if pid: return pid
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(folder)
        os.environ.update(SHIPVIZ_HOME=str(Path(folder)/"home"), SHIPVIZ_STRESS=token)
        out = os.open(Path(folder).with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        work()
        code = 0
    except SystemExit as e: code = e.code if isinstance(e.code, int) else int(bool(e.code))
    except BaseException: sys.excepthook(*sys.exc_info())
    finally: os._exit(code)

def ended(pid): return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def gone(token, seconds=20):
    "Wait until no process of a try is left; those that are."
    end = time.monotonic() + seconds
    while (left := marked(token)) and time.monotonic() < end: time.sleep(.05)
    return left

class Task:
    "A kind of work with the result of a run that nobody stopped."
    def __init__(self, name, place):
        self.name, self.place = name, Path(place)
        self.work, prepare = TASKS[name]
        self.model = self.place/f"{name}-before"
        self.model.mkdir(parents=True)
        home = os.getcwd()
        os.chdir(self.model)
        os.environ["SHIPVIZ_HOME"] = str(self.model/"home")
        try: prepare()
        finally: os.chdir(home)
        self.before = {k: digest(p) for k, p in outputs(self.model).items()}
        reference = self.fresh("reference")
        begin = time.monotonic()
        code = ended(start(self.work, reference, "shipviz-reference"))
        self.took = deque([time.monotonic() - begin], maxlen=5)  # lately: other work may slow this one down
        if code: raise RuntimeError(f"{name} fails undisturbed:\n{reference.with_suffix('.log').read_text()}")
        assert not leftovers(reference), leftovers(reference)
        self.after = {k: digest(p) for k, p in outputs(reference).items()}
        new = [p for k, p in outputs(reference).items() if self.after[k] != self.before.get(k)]
        self.bytes = taken(new)

    def fresh(self, name):
        folder = self.place/f"{self.name}-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.model, folder)
        return folder

    def check(self, folder):
        "Right after it was stopped: each file is as before, or as it will be."
        for name, path in outputs(folder).items():
            if ".tmp" in name: continue
            found = digest(path)
            assert found in (self.before.get(name), self.after.get(name)), f"{name} is neither old nor new"
        lost = [n for n in self.before if n not in self.after and n not in outputs(folder)]
        lost = [n for n in lost if not list(Path(folder).rglob(f"*.tmp/old/{Path(n).name}"))]
        assert not lost, f"lost: {lost}"

    def complete(self, folder):
        "Do it once more, and compare."
        begin = time.monotonic()
        code = ended(start(self.work, folder, "shipviz-again"))
        self.took.append(time.monotonic() - begin)
        assert not code, f"once more ends with {code}:\n{folder.with_suffix('.log').read_text()[-3000:]}"
        assert not leftovers(folder), leftovers(folder)
        found = {k: digest(p) for k, p in outputs(folder).items()}
        assert found == self.after, sorted(k for k in {*found,
                                                       *self.after} if found.get(k) != self.after.get(k))

    def kill(self, rng):
        "One try: the name of the signal, whether it came before the end, whether work was left half-way."
        folder, token, sign = self.fresh("try"), f"shipviz-{rng.getrandbits(64):x}", rng.choice(SIGNALS)
        pid = start(self.work, folder, token)
        time.sleep(rng.uniform(0, max(self.took)))
        os.kill(pid, sign)
        code = ended(pid)
        left = gone(token)
        assert not left, f"processes are left: {left}"
        self.check(folder)
        begun = bool(leftovers(folder))
        self.complete(folder)
        return sign.name, code != 0, begun

    def fill(self, rng, disk):
        "One try on a full disk, of which `disk` bytes are free; whether it was full before the end."
        folder = self.fresh("disk")
        kept = self.place/f"{self.name}-kept"
        shutil.rmtree(kept, ignore_errors=True)
        folder.rename(kept)
        folder.mkdir()
        size = max(PAGE, taken(p for p in kept.rglob("*") if p.is_file()) + disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
        try:
            shutil.copytree(kept, folder, dirs_exist_ok=True)
            code = ended(start(self.work, folder, "shipviz-disk"))
            self.check(folder)
            subprocess.run(["mount", "-o", "remount,size=2g", folder], check=True)
            self.complete(folder)
        finally: subprocess.run(["umount", "-l", folder], check=True)
        return code != 0


def can_mount():
    "May this process mount a small file system?"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder],
                              capture_output=True)
        if done.returncode == 0: subprocess.run(["umount", folder], check=True)
        return done.returncode == 0

def prepare_imports():
    import shipviz.cli
    import shipviz.models
    import shipviz.report
    import shipviz.widgets

def run(tries=50, names=TASKS, seed=0):
    "Every task so often; prints counts, and raises AssertionError at the first fault."
    prepare_imports()
    with tempfile.TemporaryDirectory(prefix="shipviz-kills-") as place:
        for name in names:
            rng, task = random.Random(f"{seed}/{name}"), Task(name, place)
            kills = [task.kill(rng) for _ in range(tries)]
            by = {s.name: sum(k[0] == s.name for k in kills) for s in SIGNALS}
            disks = max(1, tries//10) if can_mount() else 0
            full = [task.fill(rng, rng.randrange(0, task.bytes, PAGE)) for _ in range(disks)]
            early, begun = (sum(k[i] for k in kills) for i in (1, 2))
            print(f"{name}: {max(task.took):.1f} s; {tries} kills {by}, {early} before the end, {begun} left "
                  f"work half-way; {disks} disks, {sum(full)} full before the end", flush=True)


if __name__ == "__main__":
    run(int((sys.argv[1:] or ["50"])[0]), sys.argv[2:] or TASKS)
