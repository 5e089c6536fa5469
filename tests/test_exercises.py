"Feedback as Jupyter shows it, and the kinds of wrong that `compare` tells apart."
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from shipviz.exercises import MIME, Feedback, call, compare, not_yet, right, wrong

A = np.arange(24, dtype=np.float32).reshape(4, 6) ** 1.3
S = np.random.default_rng(0).normal(size=(5, 5))


def test_feedback_is_true_only_if_right():
    assert right("ex", "well done") and not wrong("ex", "shape", "no") and not not_yet("ex")
    assert not_yet("ex").kind == "unanswered"


def test_feedback_in_a_notebook():
    bundle = wrong("kernel<1>", "shape", "a < b & c")._repr_mimebundle_()
    assert bundle[MIME] == dict(name="kernel<1>", ok=False, kind="shape", message="a < b & c")
    assert json.loads(json.dumps(bundle[MIME])) == bundle[MIME]
    assert "kernel&lt;1&gt;" in bundle["text/html"] and "a &lt; b &amp; c" in bundle["text/html"]
    shown = "✗ kernel<1>: a < b & c"
    assert bundle["text/plain"] == repr(Feedback("kernel<1>", False, "shape", "a < b & c")) == shown


WRONG = [
    (A.T, A, "transposed"), (A.ravel(), A, "shape"), (A[:3, :2], A, "shape"), (A[1:-1, 1:-1], A, "border"),
    (A[None, :, :5], A, "shape"),
    (-A, A, "negated"), (A[:, ::-1], A, "flipped"), (A[::-1], A, "flipped"), (A[::-1, ::-1], A, "flipped"),
    (S.T, S, "transposed"), (S[0, ::-1], S[0], "flipped"),
    (A / 255, A, "scaled"), (A + 3, A, "offset"), (A * np.nan, A, "nan"), (A + S[:4, :1], A, "value"),
    (np.pad(A, 1)[1:-1, 1:-1] * (np.pad(np.ones((2, 4)), 1)), A, "border"), (np.zeros_like(A), A, "value"),
    (41, 42, "off by one"), (4200, 42, "scaled"), (0.42, 42, "scaled"), (-42, 42, "negated"),
    (7, 42, "value"), (0, 42, "value"), ("42", 42, "type"), ([[1], [2, 3]], A, "type"),
    (None, A, "unanswered"), (..., A, "unanswered"), (object(), 1, "type"),
]


@pytest.mark.parametrize("answer,expected,kind", WRONG)
def test_kinds_of_wrong(answer, expected, kind):
    feedback = compare("ex", answer, expected)
    assert not feedback and feedback.kind == kind
    assert feedback.message


def test_messages_differ_where_the_mistake_differs():
    assert len({compare("ex", a, A).message for a in (A.T, -A, A[:, ::-1], A[::-1], A / 2, A + 1)}) == 6


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, list])
def test_right_from_numpy_torch_and_lists(kind):
    assert compare("ex", kind(A), torch.tensor(A))
    assert compare("ex", kind(A + 1e-7), A)
    assert compare("ex", torch.tensor(A, requires_grad=True), kind(A))
    assert compare("ex", np.array([1, np.nan]), np.array([1, np.nan]))


def test_scalars_and_dtypes():
    assert compare("ex", 0.5, torch.tensor(0.5))
    assert compare("ex", np.float32(2), 2) and compare("ex", True, True)
    assert compare("ex", torch.tensor(A).bfloat16(), torch.tensor(A).bfloat16())
    assert compare("ex", A.astype(np.float64), A)
    assert compare("ex", A.astype(np.float64), A, dtype=True).kind == "dtype"
    assert compare("ex", torch.tensor(A), torch.tensor(A), dtype=True)


def test_call():
    assert call("ex", lambda x: x + 1, 2) == (3, None)
    def boom(): raise ValueError("bad kernel")
    for f, kind in ((None, "unanswered"), (..., "unanswered"), (lambda: None, "unanswered"), (3, "type"),
                    (boom, "error")):
        answer, feedback = call("ex", f)
        assert answer is None and not feedback and feedback.kind == kind
    assert "ValueError: bad kernel" in call("ex", boom)[1].message


def test_importing_it_costs_no_torch():
    code = "import sys, shipviz.exercises; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
