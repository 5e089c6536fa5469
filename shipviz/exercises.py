"""What the lessons' checkers answer: is it right, and if not, what kind of wrong.

A checker is an exported function `check_xxx(answer) -> Feedback`. It never raises on a learner's answer:
`call` runs a learner's function and turns an exception into feedback, `compare` says how an array differs
from the expected one."""
from dataclasses import asdict, dataclass
from html import escape

MIME = "application/vnd.shipviz.check+json"
# each readable on white and on near-black
COLOURS = {"right": "#2a78c2", "unanswered": "#8a8a8a", "wrong": "#c8690a"}


@dataclass(frozen=True)
class Feedback:
    """The answer of a checker. True if the exercise is solved; shown by Jupyter as one line, kept in the
    notebook as JSON."""
    name: str     # the exercise, as its checker names it
    ok: bool      # solved?
    kind: str     # 'right', 'unanswered', or the kind of wrong: 'shape', 'transposed', 'scaled', 'error' ...
    message: str  # for the learner: what was seen, what was expected, what to look at

    def __bool__(self): return self.ok
    def __repr__(self): return f"{self._sign} {self.name}: {self.message}"

    @property
    def _sign(self): return "✓" if self.ok else "…" if self.kind == "unanswered" else "✗"

    def _repr_mimebundle_(self, include=None, exclude=None):
        colour = COLOURS.get(self.kind, COLOURS["wrong"])
        html = (f'<div style="border-left:4px solid {colour};padding:.3em .8em"><b style="color:{colour}">'
                f'{self._sign} {escape(self.name)}</b>: {escape(self.message)}</div>')
        return {"text/plain": repr(self), "text/html": html, MIME: asdict(self)}


def right(name, message="Right."): return Feedback(name, True, "right", message)
def wrong(name, kind, message): return Feedback(name, False, kind, message)
def not_yet(name):
    return Feedback(name, False, "unanswered", "not answered yet: fill in the cell above and run it again.")
def unanswered(answer): return answer is None or answer is ...


def call(name, f, *args, **kwargs):
    """`(f(*args, **kwargs), None)`, or `(None, Feedback)` if `f` is unanswered, no function, raises, or
    returns nothing."""
    if unanswered(f): return None, not_yet(name)
    if not callable(f):
        return None, wrong(name, "type", f"a function was expected, this is a {type(f).__name__}.")
    try: answer = f(*args, **kwargs)
    except Exception as e: return None, wrong(name, "error", f"your function raised {type(e).__name__}: {e}")
    return (None, not_yet(name)) if unanswered(answer) else (answer, None)


def _array(x):
    import numpy as np
    if hasattr(x, "detach"): x = x.detach().cpu().double()
    a = np.asarray(x)
    return a.astype(np.float64) if a.dtype.kind in "fiub" else a


def compare(name, answer, expected, rtol=1e-4, atol=1e-5, dtype=False, message="Right."):
    """Compare numbers, arrays or tensors: `Feedback` that is right within `rtol`/`atol`, or tells the kind of
    difference."""
    import numpy as np
    if unanswered(answer): return not_yet(name)
    try: a, b = _array(answer), _array(expected)
    except Exception as e:
        return wrong(name, "type", f"this is no number, array or tensor that can be compared ({e}).")
    if a.dtype.kind != "f":
        return wrong(name, "type", f"numbers were expected, this is a {type(answer).__name__}.")
    close = lambda x, y: x.shape == y.shape and np.allclose(x, y, rtol=rtol, atol=atol, equal_nan=True)
    if a.shape != b.shape: return _other_shape(name, a, b, close)
    if np.isnan(a).any() and not np.isnan(b).any():
        return wrong(name, "nan", "some values are not a number (nan).")
    if close(a, b):
        got, want = (getattr(o, "dtype", type(o)) for o in (answer, expected))
        if dtype and got != want:
            return wrong(name, "dtype", f"right numbers, but of type {got} instead of {want}.")
        return right(name, message)
    if close(-a, b): return wrong(name, "negated", "every value has the wrong sign.")
    if a.ndim > 1 and close(a.swapaxes(-1, -2), b):
        return wrong(name, "transposed", "rows and columns are exchanged.")
    for axes, how in (((-1,), "left and right"), ((-2,), "top and bottom"), ((-2, -1), "both directions")):
        if a.ndim >= len(axes) and a.ndim >= -min(axes) and close(np.flip(a, axes), b):
            how = "right numbers in reverse order." if a.ndim == 1 else f"flipped: {how} exchanged."
            return wrong(name, "flipped", how)
    return _difference(name, a, b, close, rtol, atol)


def _other_shape(name, a, b, close):
    "Axes exchanged, the right numbers in another shape, a border too many or too few, or plainly different."
    shapes = f"{a.shape} instead of {b.shape}"
    if a.ndim > 1 and a.shape == b.shape[::-1] and close(a.T, b):
        return wrong(name, "transposed", f"right numbers, but the axes are exchanged: {shapes}.")
    if a.size == b.size and close(a.reshape(b.shape), b):
        return wrong(name, "shape", f"right numbers in the wrong shape: {shapes}.")
    gaps = {x - y for x, y in zip(a.shape[-2:], b.shape[-2:]) if x != y}
    if a.ndim == b.ndim and a.shape[:-2] == b.shape[:-2] and len(gaps) == 1:
        gap = gaps.pop()
        if abs(gap) <= 4:
            amount = f"{abs(gap)} too {'many' if gap > 0 else 'few'}"
            return wrong(name, "border", f"shape {shapes}: {amount} along an axis. Look at the border.")
    return wrong(name, "shape", f"shape {shapes}.")
def _difference(name, a, b, close, rtol, atol):
    "Same shape, other values: off by one, scaled, offset, wrong at the border only, or plainly different."
    import numpy as np
    if a.size == 1:
        a, b = a.item(), b.item()
        if abs(a - b) == 1:
            return wrong(name, "off by one", f"{a:.6g} is one too {'many' if a > b else 'few'}.")
        factors = [k for f in (2, 10, 100, 255, 1000) for k in (f, 1 / f)]
        factor = next((f for f in factors if b and np.isclose(a / b, f)), None)
        if factor: return wrong(name, "scaled", f"{a:.6g} is {factor:.4g} times what it should be.")
        return wrong(name, "value", f"{a:.6g} is not the value expected.")
    scale = (a * a).sum() and (a * b).sum() / (a * a).sum()
    if scale and close(a * scale, b):
        return wrong(name, "scaled", f"every value is {1 / scale:.4g} times what it should be.")
    offset = (a - b).mean()
    if close(a - offset, b): return wrong(name, "offset", f"every value is off by {offset:.4g}.")
    if a.ndim > 1 and min(a.shape[-2:]) > 2 and close(a[..., 1:-1, 1:-1], b[..., 1:-1, 1:-1]):
        return wrong(name, "border",
                     "the inside is right, the outermost rows or columns are not. Look at the padding.")
    bad = ~np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
    i = tuple(int(x) for x in np.argwhere(bad)[0])
    return wrong(name, "value", f"{bad.sum()} of {a.size} values differ; "
                                f"the first, at {i}, is {a[i]:.5g} instead of {b[i]:.5g}.")
