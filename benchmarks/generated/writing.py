"""Writes layers from choices: distinct source texts, the same from the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from generated import fragments as f

SELECTED = ("where", "cond")
"""Forms that choose statistics in one program, instead of a method."""


class Written(NamedTuple):
    """A layer: its name, its choices in words, and the text of a module that defines ``Norm``."""

    name: str
    choices: dict[str, str]
    text: str


@dataclass(frozen=True)
class Choices:
    """What a layer is made of; see ``fragments``."""

    total: str
    whole: str
    mean: str
    var: str
    root: str
    applied: str
    average: str
    stop: str
    branch: str
    read: str
    write: str
    variable: str
    ones: str
    zeros: str
    converted: str
    compiled: str
    place: str
    base: str

    @classmethod
    def draw(cls, rng: random.Random) -> Choices:
        """Draw a layer; one in four computes mean and variance together."""
        compiled = rng.choice(f.COMPILED)
        return cls(
            total=rng.choice([*f.TOTALS]),
            whole=rng.choice([*f.WHOLE]) if rng.randrange(4) == 0 else "",
            mean=rng.choice(f.MEANS),
            var=rng.choice(f.VARIANCES),
            root=rng.choice(f.ROOTS),
            applied=rng.choice(f.APPLIED),
            average=rng.choice(f.AVERAGES),
            stop=rng.choice(f.STOPS),
            branch=rng.choice(f.BRANCHES),
            read=rng.choice(f.READS),
            write=rng.choice(f.WRITES),
            variable=rng.choice(f.VARIABLES),
            ones=rng.choice(f.ONES),
            zeros=rng.choice(f.ZEROS),
            converted=rng.choice(f.CONVERTED),
            compiled=compiled,
            place="module" if compiled != "nothing" else rng.choice(f.PLACES),
            base=rng.choice(f.BASES),
        )


def write_layers(count: int, seed: int) -> Iterator[Written]:
    """Yield distinct layers, the same ones for the same seed.

    Args:
        count: How many.
        seed: The seed of the choices.
    """
    rng, seen = random.Random(f"correct layers {seed}"), set()
    while len(seen) < count:
        choices = Choices.draw(rng)
        text = _render(choices)
        if text not in seen:
            seen.add(text)
            yield Written(f"layer-{seed}-{len(seen):04d}", vars(choices).copy(), text)


def _render(c: Choices) -> str:
    """Return the text of a module."""
    functions = [*_functions(c)]
    static = c.place == "static"
    parts = ["import jax", "import jax.numpy as jnp", "from flax import nnx", ""]
    if c.variable == "Statistic":
        parts += ["", "class Statistic(nnx.Variable):", "    pass", ""]
    if not static:
        parts += functions
    parts += _class(c, functions if static else [])
    if c.compiled == "methods" and c.branch not in SELECTED:
        parts += ["", "_train = nnx.jit(Norm.train)", "_evaluate = nnx.jit(Norm.evaluate)"]
    return "\n".join(parts) + "\n"


def _functions(c: Choices) -> Iterator[str]:
    call = "Norm." if c.place == "static" else ""
    needs_total = c.whole == "" and ("total(" in c.mean or "total(" in c.var)
    if needs_total:
        yield "\ndef total(x):" + f.TOTALS[c.total].replace("total(", f"{call}total(") + "\n"
    body = (
        f.WHOLE[c.whole] if c.whole else f"\n    n = x.shape[0]\n    m = {c.mean}\n    v = {c.var}"
    )
    body += "" if c.whole else "\n    return m, v"
    body = body.replace("total(", f"{call}total(")
    jit = "@jax.jit\n" if c.compiled in {"statistics", "both"} else ""
    yield f"\n{jit}def statistics(x):{body}\n"
    jit = {"normalise": "@jax.jit\n", "both": "@jax.jit\n", "checkpoint": "@jax.checkpoint\n"}
    root = f"\n    r = {c.root}" if " r" in c.applied or "r)" in c.applied else ""
    named = '\n    with jax.named_scope("normalise"):' if c.compiled == "named scope" else ""
    lines = f"{root}\n    return {c.applied}"
    lines = named + (lines.replace("\n", "\n    ") if named else lines)
    yield f"\n{jit.get(c.compiled, '')}def normalise(x, m, v, g, b, e):{lines}\n"
    yield f"\ndef averaged(old, new, k):\n    return {c.average}\n"
    if c.compiled.endswith("terms"):
        yield _custom(c.compiled)
    if c.compiled == "core":
        yield _CORE


_CORE = """
@jax.jit
def train_core(x, g, b, mean, var, k, e):
    m, v = statistics(x)
    fixed = jax.lax.stop_gradient((m, v))
    after = averaged(mean, fixed[0], k), averaged(var, fixed[1], k)
    return normalise(x, m, v, g, b, e), *after
"""


def _custom(terms: str) -> str:
    of_x = {
        "three terms": "g * r * (w - w.mean(0) - z * (w * z).mean(0))",
        "merged terms": "g * r / n * (n * w - w.sum(0) - z * (w * z).sum(0))",
    }[terms]
    return f"""
@jax.custom_vjp
def normalise_batch(x, m, v, g, b, e):
    return normalise(x, m, v, g, b, e)


def _forward(x, m, v, g, b, e):
    r = jax.lax.rsqrt(v + e)
    return normalise(x, m, v, g, b, e), ((x - m) * r, r, g)


def _backward(saved, w):
    z, r, g = saved
    n = w.shape[0]
    zeros = jnp.zeros_like(r)
    return {of_x}, zeros, zeros, (w * z).sum(0), w.sum(0), jnp.zeros(())


normalise_batch.defvjp(_forward, _backward)
"""


def _class(c: Choices, functions: list[str]) -> list[str]:
    """Return the lines of the class, and of those that it derives from."""
    create = [
        "    def create(self, d):",
        f"        self.gamma = nnx.Param({c.ones})",
        f"        self.beta = nnx.Param({c.zeros})",
        f"        self.running_mean = {c.variable}({c.zeros})",
        f"        self.running_var = {c.variable}({c.ones})",
        "",
    ]
    start = [
        "    def __init__(self, d, momentum, eps, rngs):",
        "        self.momentum, self.eps = momentum, eps",
        "        self.create(d)",
        "",
    ]
    above = {
        "nnx.Module": [],
        "a base class": ["", "class Base(nnx.Module):", *create],
        "a mixin": ["", "class Creating:", *create],
    }[c.base]
    derived = {
        "nnx.Module": "nnx.Module",
        "a base class": "Base",
        "a mixin": "Creating, nnx.Module",
    }[c.base]
    statics = [
        "    @staticmethod" + text.replace("\n", "\n    ").rstrip() + "\n" for text in functions
    ]
    own = create if c.base == "nnx.Module" else []
    steps = [] if c.branch in SELECTED else _steps(c)
    body = [*start, *own, *steps, *_call(c), *statics]
    return [*above, "", f"class Norm({derived}):", *body]


def _steps(c: Choices) -> list[str]:
    """Return the methods that train and evaluate."""
    own = "Norm." if c.place == "static" else ""
    get = {name: c.read.format(f"self.{name}") for name in _ARRAYS}
    affine = f"{get['gamma']}, {get['beta']}, self.eps"
    stored = f"{get['running_mean']}, {get['running_var']}"
    apply = "normalise_batch" if c.compiled.endswith("terms") else f"{own}normalise"
    eps = "jnp.float32(self.eps)" if c.compiled.endswith("terms") else "self.eps"
    lines = ["    def train(self, x):"]
    if c.compiled == "core":
        arguments = f"x, {get['gamma']}, {get['beta']}, {stored}, self.momentum, self.eps"
        lines += [f"        y, mean, var = train_core({arguments})"]
        lines += [f"        {line}" for line in _written(c, "mean", "var")]
        lines += ["        return y", ""]
    else:
        lines += [f"        m, v = {own}statistics(x)", *_updates(c, own, get)]
        last = f"{get['gamma']}, {get['beta']}, {eps}"
        lines += [f"        return {apply}(x, m, v, {last})", ""]
    lines += ["    def evaluate(self, x):"]
    lines += [f"        return {own}normalise(x, {stored}, {affine})", ""]
    return lines


_ARRAYS = ("gamma", "beta", "running_mean", "running_var")


def _written(c: Choices, mean: str, var: str) -> list[str]:
    return [
        c.write.format("self.running_mean", mean),
        c.write.format("self.running_var", var),
    ]


def _updates(c: Choices, own: str, get: dict[str, str]) -> list[str]:
    """Return the statements that store the new running statistics."""
    stop = "jax.lax.stop_gradient"
    mean, var = {
        "each new value": (f"{stop}(m)", f"{stop}(v)"),
        "both": ("fixed[0]", "fixed[1]"),
        "the input": ("fixed[0]", "fixed[1]"),
    }[c.stop]
    first = {
        "each new value": [],
        "both": [f"fixed = {stop}((m, v))"],
        "the input": [f"fixed = {own}statistics({stop}(x))"],
    }[c.stop]
    new = (
        f"{own}averaged({get[name]}, {value}, self.momentum)"
        for name, value in (("running_mean", mean), ("running_var", var))
    )
    return [f"        {line}" for line in [*first, *_written(c, *new)]]


def _call(c: Choices) -> list[str]:
    """Return the method that chooses the mode."""
    train, evaluate = (
        f"_{name}(self, x)" if c.compiled == "methods" else f"self.{name}(x)"
        for name in ("train", "evaluate")
    )
    flag = "use_running_average"
    forms = {
        "early return": [f"if {flag}:", f"    return {evaluate}", f"return {train}"],
        "else": [
            *(f"if not {flag}:", f"    y = {train}", "else:", f"    y = {evaluate}"),
            "return y",
        ],
        "ternary": [f"return {evaluate} if {flag} else {train}"],
        "match": [
            *(f"match bool({flag}):", "    case True:", f"        return {evaluate}"),
            *("    case _:", f"        return {train}"),
        ],
        "table": [
            f"modes = {{True: lambda: {evaluate}, False: lambda: {train}}}",
            f"return modes[bool({flag})]()",
        ],
        "inline": [f"return self.choose(x, bool({flag}))"],
        "where": _selected(c, "where"),
        "cond": _selected(c, "cond"),
    }
    lines = forms[c.branch]
    found = [f"    def __call__(self, x, {flag}):", f"        x = {c.converted}"]
    found += [f"        {line}" for line in lines] + [""]
    if c.branch == "inline":
        found += ["    def choose(self, x, evaluates):"]
        found += [f"        call = {_bound(c)}", "        return call(x)", ""]
    return found


def _bound(c: Choices) -> str:
    if c.compiled == "methods":
        return "(lambda x: _evaluate(self, x)) if evaluates else (lambda x: _train(self, x))"
    return "self.evaluate if evaluates else self.train"


def _selected(c: Choices, form: str) -> list[str]:
    """Return statements that choose the statistics by arithmetic, in one program."""
    own = "Norm." if c.place == "static" else ""
    get = {name: c.read.format(f"self.{name}") for name in _ARRAYS}
    lines = [
        "flag = jnp.asarray(use_running_average, bool)",
        f"old = {get['running_mean']}, {get['running_var']}",
    ]
    if form == "where":
        lines += [
            f"new = {own}statistics(x)",
            "m, v = (jnp.where(flag, o, n) for o, n in zip(old, new))",
            "fixed = jax.lax.stop_gradient(new)",
            f"after = [jnp.where(flag, o, {own}averaged(o, n, self.momentum)) "
            "for o, n in zip(old, fixed)]",
        ]
    else:
        lines += [
            "def train():",
            f"    new = {own}statistics(x)",
            "    fixed = jax.lax.stop_gradient(new)",
            f"    return *new, *({own}averaged(o, n, self.momentum) for o, n in zip(old, fixed))",
            "m, v, *after = jax.lax.cond(flag, lambda: (*old, *old), train)",
        ]
    lines += _written(c, "after[0]", "after[1]")
    return [*lines, f"return {own}normalise(x, m, v, {get['gamma']}, {get['beta']}, self.eps)"]
