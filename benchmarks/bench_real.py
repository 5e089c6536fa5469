"""The whole on the hackathon's photos: trains with the defaults, writes submission.csv, cross-validates the
head of `real-ships`, trains on rendered ships alone and tests that on the labelled photos.

SHIPVIZ_HACKATHON names the unpacked folder. Options: -o FOLDER for model and submission (default: real/),
--minutes or --epochs for `shipviz train`. Times are processor times, user and system, of the whole
process."""
import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def timed(what, *args):
    "Run a program and print its processor time."
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = subprocess.call([sys.executable, *map(str, args)], env=env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    print(f"{what}: {(user + system)/60:.1f} minutes of processor time "
          f"({user:.0f} s user, {system:.0f} s system)", flush=True)
    if code: sys.exit(f"{what} failed with exit code {code}")


SCORE = """
import sys
from shipviz.datasets import load_ships
from shipviz.evaluation import f1_interval
from shipviz.models import find_model
from shipviz.predictions import probabilities
df = load_ships(sys.argv[2]).query("split != 'test'")
said = probabilities(find_model(sys.argv[1]), df.path.tolist(), progress=False).argmax(1).numpy()
f1 = f1_interval(df.category.to_numpy(int) - 1, said)
print(f"{sys.argv[1]}: weighted F1 {f1} on {len(df)} labelled photos")
"""

def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("real"))
    parser.add_argument("--minutes", help="for shipviz train")
    parser.add_argument("--epochs", help="for shipviz train")
    args = parser.parse_args()
    data = os.environ.get("SHIPVIZ_HACKATHON")
    if not data or not Path(data).is_dir():
        sys.exit("SHIPVIZ_HACKATHON must name the unpacked folder of the hackathon.")
    args.output.mkdir(parents=True, exist_ok=True)
    cli = ("-c", "from shipviz.cli import main; main()")
    more = []
    for option, value in (("--minutes", args.minutes), ("--epochs", args.epochs)):
        if value: more += [option, value]
    model, submission = args.output/"model", args.output/"submission.csv"
    plain, ready = args.output/"plain.csv", args.output/"real-ships.csv"
    timed("shipviz train", *cli, "train", data, "-o", model, "--force", *more)
    timed("shipviz predict", *cli, "predict", model, data, "-o", submission, "--force")
    timed("the same without mirrored averaging", *cli, "predict", model, data, "-o", plain, "--no-mirror",
          "--force")
    timed("real-ships, shipviz predict", *cli, "predict", "real-ships", data, "-o", ready, "--force")
    ships, rendered = args.output/"ships", args.output/"rendered"
    timed("shipviz ships, 3,000 pictures", *cli, "ships", ships, "-n", 3000, "--test", 0)
    timed("shipviz train on rendered ships", *cli, "train", ships, "-o", rendered, "--force")
    timed("rendered to real", "-c", SCORE, rendered, data)
    timed("cross-validation of the head", ROOT/"scripts"/"make_real_ships.py", data, "--check")


if __name__ == "__main__": main()
