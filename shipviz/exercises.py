"""What the lessons' checkers answer: is it right, and if not, what kind of wrong.

A checker is an exported function `check_xxx(answer) -> Feedback`. It never raises on a learner's answer:
`call` runs a learner's function and turns an exception into feedback, `compare` says how an array differs
from the expected one."""
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

# what a learner wrote: a number, a list, a function, anything, or None or `...` if nothing
Answer = Any

MIME = "application/vnd.shipviz.check+json"
# each readable on white and on near-black
COLOURS = {"right": "#2a78c2", "unanswered": "#8a8a8a", "wrong": "#c8690a"}


@dataclass(frozen=True)
class Feedback:
    """The answer of a checker, true if the exercise is solved.

    Jupyter shows it as one line and keeps it in the notebook as JSON."""
    name: str     # the exercise, as its checker names it
    ok: bool      # solved?
    kind: str     # 'right', 'unanswered', or the kind of wrong: 'shape', 'transposed', 'scaled', 'error' ...
    message: str  # for the learner: what was seen, what was expected, what to look at

    def __bool__(self)->bool: return self.ok
    def __repr__(self)->str: return f"{self._sign} {self.name}: {self.message}"

    @property
    def _sign(self)->str:
        if self.ok: return "✓"
        return "…" if self.kind == "unanswered" else "✗"

    def _repr_mimebundle_(self, include=None, exclude=None):
        colour = COLOURS.get(self.kind, COLOURS["wrong"])
        title = f'<b style="color:{colour}">{self._sign} {escape(self.name)}</b>'
        html = (f'<div style="border-left:4px solid {colour};padding:.3em .8em">'
                f'{title}: {escape(self.message)}</div>')
        return {"text/plain": repr(self), "text/html": html, MIME: asdict(self)}


def right(
    name:str, # the exercise
    message:str="Right.", # for the learner
)->Feedback:
    "The exercise is solved."
    return Feedback(name, True, "right", message)

def wrong(
    name:str, # the exercise
    kind:str, # of wrong, in one or two words
    message:str, # for the learner: what was seen, what was expected
)->Feedback:
    "The exercise is answered, and the answer is wrong."
    return Feedback(name, False, kind, message)

def not_yet(
    name:str, # the exercise
)->Feedback:
    "The exercise is not answered."
    return Feedback(name, False, "unanswered", "not answered yet: fill in the cell above and run it again.")

def unanswered(
    answer:object, # a learner's
)->bool:
    "Is this what stands in an exercise before it is answered, None or `...`?"
    return answer is None or answer is ...


def call(
    name:str, # the exercise
    f:Any, # a learner's answer, which should be a function
    *args:Any, # of the function
    **kwargs:Any, # of the function
)->tuple[Any, Feedback|None]: # what the function returned and None, or None and what is wrong
    """Call a learner's function. It is wrong if it is no function, raises, or returns nothing; its exception
    is told, never raised."""
    if unanswered(f): return None, not_yet(name)
    if not callable(f):
        return None, wrong(name, "type", f"a function was expected, this is a {type(f).__name__}.")
    try: answer = f(*args, **kwargs)
    except Exception as e: return None, wrong(name, "error", f"your function raised {type(e).__name__}: {e}")
    return (None, not_yet(name)) if unanswered(answer) else (answer, None)


def compare(
    name:str, # the exercise
    answer:Any, # a learner's
    expected:Any, # number, array, tensor or list of numbers
    rtol:float=1e-4, # tolerance, relative to the expected values
    atol:float=1e-5, # tolerance, absolute
    dtype:bool=False, # must the type of the numbers be the expected one too?
    message:str="Right.", # for the learner whose answer is right
)->Feedback: # right within the tolerance, or the kind of difference
    "Compare an answer with the numbers expected. Nothing is raised, whatever the answer is."
    import numpy as np
    if unanswered(answer): return not_yet(name)
    try: a, b = _array(answer), _array(expected)
    except Exception as e:
        return wrong(name, "type", f"this is no number, array or tensor that can be compared ({e}).")
    if a.dtype.kind != "f":
        return wrong(name, "type", f"numbers were expected, this is a {type(answer).__name__}.")

    def close(x, y): return x.shape == y.shape and np.allclose(x, y, rtol=rtol, atol=atol, equal_nan=True)

    if a.shape != b.shape: return wrong(name, *_other_shape(a, b, close))
    if np.isnan(a).any() and not np.isnan(b).any():
        return wrong(name, "nan", "some values are not a number (nan).")
    if not close(a, b):
        differing = ~np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
        mistake = (_rearranged(a, b, close) or _one_number(a, b) or _rescaled(a, b, close)
                   or _values(a, b, differing))
        return wrong(name, *mistake)
    got, want = _kind_of(answer), _kind_of(expected)
    if dtype and got != want:
        return wrong(name, "dtype", f"right numbers, but of type {got} instead of {want}.")
    return right(name, message)


def _array(x):
    "Numbers as an array in double precision; anything else as NumPy takes it."
    import numpy as np
    if hasattr(x, "detach"): x = x.detach().cpu().double()
    a = np.asarray(x)
    return a.astype(np.float64) if a.dtype.kind in "fiub" else a

def _kind_of(x): return getattr(x, "dtype", type(x))


# Each of these looks for one family of mistakes in the answer `a`, where `b` was expected, and gives
# (kind, message), or None if it is not of the family.

def _other_shape(a, b, close):
    "Arrays of different shapes: axes exchanged, reshaped, a border too many or too few, or anything else."
    shapes = f"{a.shape} instead of {b.shape}"
    if a.ndim > 1 and close(a.T, b):
        return "transposed", f"right numbers, but the axes are exchanged: {shapes}."
    if a.size == b.size and close(a.reshape(b.shape), b):
        return "shape", f"right numbers in the wrong shape: {shapes}."
    gap = _border(a.shape, b.shape)
    if gap:
        number = f"{abs(gap)} too {'many' if gap > 0 else 'few'}"
        return "border", f"shape {shapes}: {number} along an axis. Look at the border."
    return "shape", f"shape {shapes}."

def _border(shape, wanted):
    "Rows or columns that a picture has too many, or (below 0) too few, up to four; 0 for another difference."
    if len(shape) != len(wanted) or shape[:-2] != wanted[:-2]: return 0
    gaps = {have - want for have, want in zip(shape[-2:], wanted[-2:]) if have != want}
    if len(gaps) != 1: return 0
    gap = gaps.pop()
    return gap if abs(gap) <= 4 else 0

FLIPS = [((-1,), "left and right"),  # axes, and what is exchanged along them
         ((-2,), "top and bottom"),
         ((-2, -1), "both directions")]

def _rearranged(a, b, close):
    "The right numbers with the wrong sign, or in another order."
    import numpy as np
    if close(-a, b): return "negated", "every value has the wrong sign."
    if a.ndim > 1 and close(a.swapaxes(-1, -2), b): return "transposed", "rows and columns are exchanged."
    if a.ndim == 1 and close(a[::-1], b): return "flipped", "right numbers in reverse order."
    if a.ndim > 1:
        for axes, words in FLIPS:
            if close(np.flip(a, axes), b): return "flipped", f"flipped: {words} exchanged."
    return None

FACTORS = [f for n in (2, 10, 100, 255, 1000) for f in (n, 1 / n)]  # by which single numbers are often wrong

def _one_number(a, b):
    "A single number: one too many or too few, a usual factor, or plainly different."
    import numpy as np
    if a.size != 1: return None
    a, b = a.item(), b.item()
    if abs(a - b) == 1: return "off by one", f"{a:.6g} is one too {'many' if a > b else 'few'}."
    for factor in FACTORS:
        if b and np.isclose(a / b, factor):
            return "scaled", f"{a:.6g} is {factor:.4g} times what it should be."
    return "value", f"{a:.6g} is not the value expected."

def _rescaled(a, b, close):
    "All values times a number (by least squares), or plus a number, or right but for the border."
    squares = (a * a).sum()
    scale = (a * b).sum() / squares if squares else 0
    if scale and close(a * scale, b):
        return "scaled", f"every value is {1 / scale:.4g} times what it should be."
    offset = (a - b).mean()
    if close(a - offset, b): return "offset", f"every value is off by {offset:.4g}."
    has_inside = a.ndim > 1 and min(a.shape[-2:]) > 2
    if has_inside and close(a[..., 1:-1, 1:-1], b[..., 1:-1, 1:-1]):
        return "border", "the inside is right, the outermost rows or columns are not. Look at the padding."
    return None

def _values(a, b, differing):
    "Other values: how many, and the first of them."
    import numpy as np
    i = tuple(int(k) for k in np.argwhere(differing)[0])
    return "value", (f"{differing.sum()} of {a.size} values differ; the first, at {i}, "
                     f"is {a[i]:.5g} instead of {b[i]:.5g}.")
