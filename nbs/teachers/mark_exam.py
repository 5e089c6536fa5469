"""Mark exams: `python mark_exam.py returned/*.ipynb` prints the points of each, question by question.

Each notebook runs in a process of its own, cell by cell; a cell that fails costs its question and no other. Question 11
is a text: mark it by the rubric in exam_answers.ipynb. Without a network, about ten seconds an exam."""
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

POINTS = dict(q1=4, q2=5, q3=4, q4=6, q5=4, q6=5, q7=6, q8=5, q9=6, q10=5, q11=5, q12=5)    # 60
BY_HAND = ("q11",)
NUMBERS = dict(
    q1=[1], q2=[112, 56, 52], q3=[73_728, 57_802_752, 8_768], q5=[19, 4], q6=[0.7112, 0.3408, 2.3408, 1.6094],
    q10=[0.8, 0.6875, 0.3333, 0.6341], q12=[2.8, 0.9, -0.2, -0.5])


def random(seed, *shape): return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))

def close(got, want, tolerance=1e-3):
    "Are these the same numbers, in the same shape?"
    try: got = torch.as_tensor(np.asarray(got, dtype=float))
    except Exception: return False
    return got.shape == want.shape and torch.allclose(got, want.double(), atol=tolerance, rtol=tolerance)


# The code questions: each yields True or False for each input it tries

def convolution(f):
    for seed, size, k, stride in ((0, (7, 7), 3, 1), (1, (9, 6), 3, 1), (2, (10, 8), 3, 2), (3, (8, 11), 5, 3)):
        x, kernel = random(seed, *size), random(seed + 10, k, k)
        yield close(f(x, kernel, stride), F.conv2d(x[None, None], kernel[None, None], stride=stride)[0, 0])

def descent_step(f):
    for seed, n in ((0, 3), (1, 10), (2, 25)):
        x, y = random(seed, n), random(seed + 10, n)
        w, b, rate = 0.5 + seed, -1.0, 0.1
        error = w*x + b - y
        want = torch.stack([w - rate*2*(error*x).mean(), b - rate*2*error.mean()])
        yield close([float(v) for v in f(w, b, x, y, rate)], want)

def folded_norm(f):
    for seed in range(3):
        weight, gamma, beta, mean = random(seed, 4, 3, 3, 3), *(random(seed + 10*i, 4) for i in (1, 2, 3))
        var, x = random(seed + 40, 4)**2 + 0.1, random(seed + 50, 2, 3, 6, 6)
        new, bias = f(weight.clone(), mean.clone(), var.clone(), gamma.clone(), beta.clone(), 1e-5)
        want = F.batch_norm(F.conv2d(x, weight), mean, var, gamma, beta, eps=1e-5)
        yield close(F.conv2d(x, torch.as_tensor(new).float(), torch.as_tensor(bias).float()), want)

def class_map(f):
    for seed, channels, k in ((0, 6, 0), (1, 10, 2), (2, 8, 4)):
        maps, weights = random(seed, channels, 5, 7), random(seed + 10, 5, channels)
        yield close(f(maps, weights, k), (weights[k][:, None, None]*maps).sum(0))

FUNCTIONS = dict(q4=("conv", convolution), q7=("step", descent_step), q8=("fold", folded_norm), q9=("class_map", class_map))


def share_of_numbers(given, wanted):
    "The share of the numbers that are right, within half a percent."
    if given is None or given is ...: return 0.
    given = list(np.ravel(given)) if not isinstance(given, dict) else list(given.values())
    right = [abs(float(a) - b) <= max(0.005*abs(b), 0.0015) for a, b in zip(given, wanted)]
    return sum(right)/len(wanted) if len(given) == len(wanted) else 0.

def share_of_trials(f, trials):
    "The share of inputs for which the function is right; where it raises, it is wrong."
    right, made = 0, trials(f)
    seen = 0
    while True:
        try: right += bool(next(made))
        except StopIteration: break
        except Exception: return right/max(seen + 1, 3)
        seen += 1
    return right/seen

def with_arrays(f):
    "`f`, given NumPy arrays: np.sum and np.mean fail on tensors, and the exam allows both."
    return lambda *given: f(*(v.numpy() if isinstance(v, torch.Tensor) else v for v in given))

def mark(answers):
    "Points for each question that a program can mark: {'q1': 4.0, …}; `answers` is the namespace of the exam."
    points = {}
    for question, most in POINTS.items():
        if question in BY_HAND: continue
        try:
            if question in NUMBERS: share = share_of_numbers(answers.get(question), NUMBERS[question])
            else:
                name, trials = FUNCTIONS[question]
                share = max(share_of_trials(f, trials) for f in (answers[name], with_arrays(answers[name])))
        except Exception: share = 0.
        points[question] = round(2*most*share)/2
    return points


def run_and_mark(path):
    "Run an exam in a process of its own and mark what it leaves behind."
    import nbformat
    from nbclient import NotebookClient
    nb = nbformat.read(path, 4)
    here = str(Path(__file__).resolve().parent)
    last = (f"import sys; sys.path.insert(0, {here!r}); import json, mark_exam; "
            "print(json.dumps(mark_exam.mark(globals())))")
    nb.cells.append(nbformat.v4.new_code_cell(last))
    client = NotebookClient(nb, timeout=60, allow_errors=True, resources={"metadata": {"path": str(Path(path).parent)}})
    client.execute()
    return json.loads("".join(o.get("text", "") for o in nb.cells[-1].outputs).strip().splitlines()[-1])

def main(paths):
    for path in paths:
        try: points = run_and_mark(path)
        except Exception as e: print(f"{path}: could not be run ({type(e).__name__}): mark it by hand")
        else:
            each = "  ".join(f"{q[1:]}: {p:g}" for q, p in points.items())
            most = sum(p for q, p in POINTS.items() if q not in BY_HAND)
            print(f"{path}: {sum(points.values()):g} of {most}, and question 11 by hand   ({each})")


if __name__ == "__main__": main(sys.argv[1:])
