"""Lines of mistakes that a guessed edit corrects, or that concern parts of a batch."""

from __future__ import annotations

import pytest
from support.lines import Find, source_at

exhaustive = pytest.mark.exhaustive

_SHIFTED = """
def shifted(x, shift):
    d = x - shift
    s1, s2 = d.mean(0), (d * d).mean(0)
    mean = shift + s1
    var = s2
    return mean, var
"""

_WELFORD = """
from typing import Any, NamedTuple


class Seen(NamedTuple):
    count: Any
    mean: Any
    squares: Any


def add_row(seen, row):
    count = seen.count + 1.0
    delta = row - seen.mean
    mean = seen.mean + delta / count
    squares = seen.squares + delta * delta
    return Seen(count, mean, squares), None
"""

_TILED = """
def tiled(x):
    missing = -len(x) % 4
    valid = (jnp.arange(len(x) + missing) < len(x)).astype(x.dtype)[:, None]
    rows = jnp.pad(x, ((0, missing), (0, 0)))
    mean = (rows * valid).sum(0) / valid.sum()
    deviation = rows - mean
    return mean, jnp.square(deviation).sum(0) / valid.sum()
"""


@pytest.mark.parametrize(
    ("name", "before", "method", "text", "new"),
    [
        (
            "guess_of_square",
            _SHIFTED,
            """
            def moments(self, x):
                shift = self.running_mean[...]
                return shifted(x, shift)
            """,
            "var = s2",
            "var = s2 - s1 ** 2",
        ),
        (
            "guess_of_updated_attribute",
            _WELFORD,
            """
            def moments(self, x):
                zeros = jnp.zeros(x.shape[1])
                seen, _ = jax.lax.scan(add_row, Seen(jnp.zeros(()), zeros, zeros), x)
                return seen.mean, seen.squares / seen.count
            """,
            "seen.squares + delta * delta",
            "(row - mean) * delta",
        ),
        (
            "guess_of_mask",
            _TILED,
            "def moments(self, x):\n    return tiled(x)",
            "rows - mean",
            "(rows - mean) * valid",
        ),
        pytest.param(
            "guess_of_squeezed",
            "",
            """
            def moments(self, x):
                rows = jnp.squeeze(x)
                mean = rows.mean(0)
                return mean, jnp.square(rows - mean).mean(0)
            """,
            "jnp.squeeze(x)",
            "x",
            marks=exhaustive,
        ),
        pytest.param(
            "guess_of_transposed",
            "",
            """
            def moments(self, x):
                columns = jnp.reshape(x, (x.shape[1], -1))
                mean = columns.mean(1)
                return mean, jnp.square(columns - mean[:, None]).mean(1)
            """,
            "jnp.reshape(x, (x.shape[1], -1))",
            "x.T",
            marks=exhaustive,
        ),
    ],
)
def test_what_is_missing_is_guessed(
    find: Find, name: str, before: str, method: str, text: str, new: str
):
    """A term, a factor, and a value that is not stale."""
    (line,) = find(method, name=name, before=before)
    assert line is not None
    assert new in line.new
    assert text in source_at(line) or text in line.text


def test_two_statements_are_edited_together(find: Find):
    """Both terms of a gradient that lack the same factor."""
    rule = """
@partial(jax.custom_vjp, nondiff_argnums=(2,))
def scaled(x, gamma, eps):
    return scaled_forward(x, gamma, eps)[0]


def scaled_forward(x, gamma, eps):
    r = 1 / jnp.sqrt(x.var(0) + eps)
    z = (x - x.mean(0)) * r
    return gamma * z, (z, r, gamma)


def scaled_backward(eps, kept, w):
    z, r, gamma = kept
    dz = w * gamma
    one = w.mean(0)
    two = (w * z).mean(0)
    return r * (dz - one - z * two), (w * z).sum(0)


scaled.defvjp(scaled_forward, scaled_backward)
"""
    method = """
        def __call__(self, x, use_running_average):
            y = super().__call__(x, use_running_average)
            if use_running_average:
                return y
            return scaled(x, self.gamma[...], self.eps) + self.beta[...]
    """
    line = next(filter(None, find(method, name="guess_of_two", before=rule)))
    assert line.new == "one = dz.mean(0); two = (dz * z).mean(0)"


def test_a_helper_that_stops_gradients_gives_way_to_its_call(find: Find):
    """It does what its name says; that it is called is wrong."""
    helper = "def fixed(value):\n    return jax.lax.stop_gradient(value)\n"
    lines = find(
        "def moments(self, x):\n    return fixed(x.mean(0)), x.var(0)",
        name="guess_of_stopping",
        before=helper,
    )
    line = next(filter(None, lines))
    assert (line.text, line.new) == ("fixed(x.mean(0))", "x.mean(0)")


@pytest.mark.parametrize(
    ("name", "method", "text"),
    [
        (
            "part_of_towers",
            """
            def moments(self, x):
                parts = jnp.array_split(x, min(2, len(x)))
                means = sum(len(part) * part.mean(0) for part in parts)
                within = sum(len(part) * part.var(0) for part in parts)
                return means / len(x), within / len(x)
            """,
            "sum(len(part) * part.var(0) for part in parts)",
        ),
        pytest.param(
            "part_of_merged",
            """
            def moments(self, x):
                count, mean, squares = 0, 0.0, 0.0
                for at in range(0, len(x), 4):
                    part = x[at : at + 4]
                    delta, rows = part.mean(0) - mean, len(part)
                    count = count + rows
                    mean = mean + delta * rows / count
                    weight = count * rows / (count + rows)
                    squares = squares + rows * part.var(0) + delta * delta * weight
                return mean, squares / count
            """,
            "squares + rows * part.var(0) + delta * delta * weight",
        ),
        pytest.param(
            "part_of_padded",
            """
            def moments(self, x):
                padded = jnp.pad(x, ((0, -len(x) % 8), (0, 0))).reshape(-1, 8, x.shape[1])
                mean = padded.sum((0, 1)) / len(x)
                deviations = padded - mean
                return mean, jnp.square(deviations).sum((0, 1)) / len(x)
            """,
            "padded - mean",
        ),
        pytest.param(
            "part_of_chunks",
            """
            def moments(self, x):
                count, mean, squares = 0, 0.0, 0.0
                for at in range(0, len(x), 4):
                    part = x[at : at + 4]
                    delta, total = part.mean(0) - mean, count + len(part)
                    squares = squares + len(part) * part.var(0)
                    if count:
                        squares = squares + delta * delta * (count * len(part) / total)
                        mean = mean + delta / 2
                    else:
                        mean = part.mean(0)
                    count = total
                return mean, squares / count
            """,
            "mean + delta / 2",
            marks=exhaustive,
        ),
    ],
)
def test_what_merges_parts_has_a_line(find: Find, name: str, method: str, text: str):
    """The statistics of parts are right: what makes one of them is not."""
    (line,) = find(method, name=name)
    assert line is not None
    assert line.text == text


def test_the_mean_of_deviations_is_shown_where_it_is_taken(find: Find):
    """Its square should have been averaged; every caller of the average does it right."""
    (line,) = find(
        """
        def average(self, old, new):
            return self.momentum * old + (1 - self.momentum) * new

        def __call__(self, x, use_running_average):
            if use_running_average:
                return super().__call__(x, True)
            mean, var = self.moments(x)
            self.running_mean[...] = self.average(self.running_mean[...], mean)
            deviation = self.average(jnp.sqrt(self.running_var[...]), jnp.sqrt(var))
            self.running_var[...] = deviation * deviation
            return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
        """,
        name="part_of_deviations",
    )
    assert line is not None
    assert line.text == "self.average(jnp.sqrt(self.running_var[...]), jnp.sqrt(var))"
