"""The choices of a correct layer: fragments of source, each right by itself.

``total`` is the sum over rows of x, (N, D); m and v are mean and variance, r the inverse root, g
and b gamma and beta, k momentum, e eps, n the number of rows.
"""

from __future__ import annotations


def _blocks(size: int) -> str:
    return f"""
    parts = [jnp.sum(x[i : i + {size}], axis=0) for i in range(0, x.shape[0], {size})]
    found = parts[0]
    for part in parts[1:]:
        found = found + part
    return found"""


def _padded(size: int) -> str:
    return f"""
    rows = -x.shape[0] % {size}
    padded = jnp.pad(x, ((0, rows), (0, 0)))
    return padded.reshape(-1, {size}, x.shape[1]).sum(axis=1).sum(axis=0)"""


def _halves(size: int) -> str:
    return f"""
    if x.shape[0] <= {size}:
        return jnp.sum(x, axis=0)
    half = x.shape[0] // 2
    return total(x[:half]) + total(x[half:])"""


def _strided(size: int) -> str:
    return f"""
    return sum(jnp.sum(x[i::{size}], axis=0) for i in range({size}))"""


def _compensated(name: str) -> str:
    step = {
        "kahan": "y = row - c\n        t = s + y\n        return (t, (t - s) - y), None",
        "neumaier": (
            "t = s + row\n"
            "        low = jnp.where(jnp.abs(s) >= jnp.abs(row), (s - t) + row, (row - t) + s)\n"
            "        return (t, c + low), None"
        ),
    }[name]
    result = "s" if name == "kahan" else "s + c"
    return f"""
    def step(carry, row):
        s, c = carry
        {step}

    zeros = jnp.zeros_like(x[0])
    (s, c), _ = jax.lax.scan(step, (zeros, zeros), x)
    return {result}"""


TOTALS = {
    "library": "\n    return jnp.sum(x, axis=0)",
    "method": "\n    return x.sum(0)",
    "einsum": '\n    return jnp.einsum("nd->d", x)',
    "product": (
        "\n    ones = jnp.ones(x.shape[0], x.dtype)"
        "\n    return jnp.dot(ones, x, precision=jax.lax.Precision.HIGHEST)"
    ),
    "transposed": "\n    return jnp.sum(x.T, axis=1)",
    "reversed": "\n    return jnp.sum(x[::-1], axis=0)",
    "by column": "\n    return jax.vmap(jnp.sum, in_axes=1)(x)",
    "cumulative": "\n    return jnp.cumsum(x, axis=0)[-1]",
    "sorted": "\n    return jnp.sum(jnp.sort(x, axis=0), axis=0)",
    "associative": "\n    return jax.lax.associative_scan(jnp.add, x)[-1]",
    "scan": (
        "\n    return jax.lax.scan(lambda s, row: (s + row, None), jnp.zeros_like(x[0]), x)[0]"
    ),
    "loop": (
        "\n    add = lambda i, s: s + x[i]"
        "\n    return jax.lax.fori_loop(0, x.shape[0], add, jnp.zeros_like(x[0]))"
    ),
    "pairs": """
    while x.shape[0] > 1:
        half = x.shape[0] // 2
        x = jnp.concatenate([x[:half] + x[half : 2 * half], x[2 * half :]])
    return x[0]""",
    "unrolled": """
    found = x[0]
    for i in range(1, x.shape[0]):
        found = found + x[i]
    return found""",
    **{f"blocks of {size}": _blocks(size) for size in (16, 32, 64, 100)},
    **{f"padded to {size}": _padded(size) for size in (4, 8, 16, 128)},
    **{f"halves of {size}": _halves(size) for size in (8, 16, 64)},
    **{f"every {size}": _strided(size) for size in (2, 3, 5)},
    "kahan": _compensated("kahan"),
    "neumaier": _compensated("neumaier"),
}
"""Bodies of ``def total(x)``."""

MEANS = (
    "total(x) / n",
    "total(x) * (1 / n)",
    "total(x) / jnp.float32(n)",
    "total(x / n)",
    "x[0] + total(x - x[0]) / n",
    "jnp.mean(x, axis=0)",
    "jnp.average(x, axis=0)",
    "x.mean(0)",
)

VARIANCES = (
    "total(jnp.square(x - m)) / n",
    "total((x - m) ** 2) / n",
    "total((x - m) * (x - m)) * (1 / n)",
    "jnp.var(x, axis=0)",
    "jnp.mean(jnp.square(x - m), axis=0)",
    "jnp.mean(jnp.abs(x - m) ** 2, axis=0)",
    'jnp.einsum("nd,nd->d", x - m, x - m) / n',
    "total(jnp.square(x - m)) / n - jnp.square(total(x - m) / n)",
    "jnp.maximum(total(jnp.square(x - x[0])) / n - jnp.square(total(x - x[0]) / n), 0)",
    "jnp.mean(jax.lax.square(x - m), axis=0)",
)

WHOLE = {
    "welford": """
    def step(carry, row):
        count, mean, squares = carry
        new = mean + (row - mean) / (count + 1)
        return (count + 1, new, squares + (row - mean) * (row - new)), None

    zeros = jnp.zeros_like(x[0])
    (count, m, squares), _ = jax.lax.scan(step, (jnp.float32(0), zeros, zeros), x)
    return m, squares / count""",
    "merged": """
    count, m, squares = 0, jnp.zeros_like(x[0]), jnp.zeros_like(x[0])
    for start in range(0, x.shape[0], 16):
        chunk = x[start : start + 16]
        size, both = len(chunk), count + len(chunk)
        center = chunk.mean(axis=0)
        delta = center - m
        squares = squares + jnp.square(chunk - center).sum(axis=0)
        squares = squares + delta * delta * (count * size / both)
        m = m + delta * (size / both)
        count = both
    return m, squares / count""",
    "library": """
    return jnp.mean(x, axis=0), jnp.var(x, axis=0)""",
}
"""Bodies of ``def statistics(x)`` that compute mean and variance together."""

ROOTS = (
    "1 / jnp.sqrt(v + e)",
    "jax.lax.rsqrt(v + e)",
    "jnp.reciprocal(jnp.sqrt(v + e))",
    "jnp.sqrt(1 / (v + e))",
    "1.0 / (v + e) ** 0.5",
)

APPLIED = (
    "g * ((x - m) * r) + b",
    "(x - m) * r * g + b",
    "b + g * r * (x - m)",
    "(x - m) * (g * r) + b",
    "x * (g * r) + (b - m * (g * r))",
    "jnp.add(jnp.multiply(g, (x - m) * r), b)",
    "g * (x - m) / jnp.sqrt(v + e) + b",
    "(x - m) / jnp.sqrt(v + e) * g + b",
    "jax.vmap(lambda row: g * (row - m) * r + b)(x)",
    "jax.vmap(lambda c, m, r, g, b: g * (c - m) * r + b, (1, 0, 0, 0, 0), 1)(x, m, r, g, b)",
)

AVERAGES = (
    "k * old + (1 - k) * new",
    "(1 - k) * new + k * old",
    "old + (1 - k) * (new - old)",
    "old - (1 - k) * (old - new)",
    "new + k * (old - new)",
    "new - k * (new - old)",
    "old * k + new * (1.0 - k)",
    "jnp.add(k * old, (1 - k) * new)",
    "sum((k * old, (1 - k) * new))",
)

STOPS = ("each new value", "both", "the input")
BRANCHES = ("early return", "else", "ternary", "match", "table", "inline", "where", "cond")
READS = ("{}[...]", "{}.get_value()", "{}.value")
WRITES = ("{}[...] = {}", "{}.set_value({})", "{}.value = {}")
VARIABLES = ("nnx.Variable", "nnx.BatchStat", "Statistic")
ONES = ("jnp.ones((d,))", "jnp.ones(d, jnp.float32)", "jnp.full((d,), 1.0)", "1 + jnp.zeros(d)")
ZEROS = ("jnp.zeros((d,))", "jnp.zeros(d, jnp.float32)", "jnp.full((d,), 0.0)", "0 * jnp.ones(d)")
CONVERTED = ("jnp.asarray(x)", "jnp.asarray(x, jnp.float32)", "jnp.array(x)", "jnp.asarray(x) + 0")
COMPILED = (
    *("nothing", "nothing", "statistics", "normalise", "both", "core", "methods", "checkpoint"),
    *("named scope", "three terms", "merged terms"),
)
PLACES = ("module", "static")
BASES = ("nnx.Module", "a base class", "a mixin")
