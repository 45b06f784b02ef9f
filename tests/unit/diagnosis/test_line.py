"""The line of a mistake: the expression that computes the wrong value, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.lines import Find, source_at
from support.sampling import exhaustive

from conformance.adapters.resolve import resolve
from conformance.diagnosis.diagnosis import investigate
from conformance.diagnosis.explanation import find_lines
from conformance.properties.support.subject import Subject

_HELPER = """
import jax.numpy as jnp


def variance(x):
    return (
        jnp.sum((x - x.mean(0)) ** 2, axis=0)
        / (len(x) - 1)
    )
"""

_SWAPPED = """
def moved(self, old, new):
    return (1 - self.momentum) * old + self.momentum * new
"""
_OUTSIDE = """
def normalize(self, x, mean, var):
    return (x - mean) / (jnp.sqrt(var) + self.eps)
"""


@pytest.mark.parametrize(
    ("name", "method", "text"),
    [
        (
            "line_of_ddof",
            "def moments(self, x):\n    return x.mean(0), x.var(0, ddof=1)",
            "x.var(0, ddof=1)",
        ),
        ("line_of_weights", _SWAPPED, "(1 - self.momentum) * old + self.momentum * new"),
        ("line_of_eps", _OUTSIDE, "jnp.sqrt(var) + self.eps"),
        pytest.param(
            "line_of_nested",
            """
            def moments(self, x):
                def spread(values):
                    return jnp.std(values, axis=0, ddof=1)
                return x.mean(0), spread(x) ** 2
            """,
            "jnp.std(values, axis=0, ddof=1)",
            marks=exhaustive,
        ),
        pytest.param(
            "line_in_program",
            """
            @nnx.jit
            def moments(self, x):
                return x.mean(0), ((x - x.mean(0)) ** 2).sum(0) / (x.shape[0] - 1)
            """,
            "((x - x.mean(0)) ** 2).sum(0) / (x.shape[0] - 1)",
            marks=exhaustive,
        ),
        pytest.param(
            "line_without_eps",
            """
            def normalize(self, x, mean, var):
                return (x - mean) * jax.lax.rsqrt(var)
            """,
            "jax.lax.rsqrt(var)",
            marks=exhaustive,
        ),
    ],
)
def test_the_expression_that_computes_the_wrong_value_is_shown(
    find: Find, name: str, method: str, text: str
):
    """File, line, column and source of the innermost expression, and both values."""
    (line,) = find(method, name=name)
    assert line is not None
    assert (line.file, line.text) == (f"{name}.py", text)
    assert source_at(line) == text
    assert line.got != line.expected


def test_the_numbers_are_easy_to_follow(find: Find):
    """A batch of three numbers, with the variance that it has and the one that was computed."""
    (line,) = find(
        "def moments(self, x):\n    return x.mean(0), x.var(0, ddof=1)", name="line_easy"
    )
    assert line is not None
    assert line.given == {"x": [[0], [1], [5]]}
    assert (line.got, line.training) == (7, True)
    assert line.expected == pytest.approx(14 / 3)


def test_an_expression_in_another_module_is_shown(find: Find):
    """The line is where the value is computed, not where the function is called."""
    Path("line_helper.py").write_text(_HELPER, encoding="utf-8")
    method = """
    def moments(self, x):
        from line_helper import variance
        return x.mean(0), variance(x)
    """
    (line,) = find(method, name="line_of_helper")
    assert line is not None
    assert (line.file, line.line, line.end_line) == ("line_helper.py", 7, 8)
    assert line.text == "jnp.sum((x - x.mean(0)) ** 2, axis=0) / (len(x) - 1)" == source_at(line)


def test_each_of_two_mistakes_has_its_line(find: Find):
    """What one mistake makes wrong does not hide the other."""
    lines = find(_SWAPPED, _OUTSIDE, name="line_of_two")
    texts = {line.text for line in lines if line is not None}
    assert texts == {
        "jnp.sqrt(var) + self.eps",
        "(1 - self.momentum) * old + self.momentum * new",
    }


@exhaustive
def test_the_first_wrong_quantity_has_a_line_where_no_mistake_is_named(find: Find):
    """A mistake that has no name is in the first value whose replacement repairs the call."""
    method = """
    def moments(self, x):
        mean = 0.9 * x.mean(0) + 0.1 * x.max(0)
        return mean, ((x - mean) ** 2).mean(0)
    """
    (line,) = find(method, name="line_unnamed")
    assert line is not None
    assert line.text == "x.max(0)" == source_at(line)
    assert (line.quantity, line.got, line.expected) == ("batch mean", 5, 2)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        (
            "line_not_stored",
            "def moved(self, old, new):\n    return old",
        ),
        pytest.param(
            "line_correct",  # what is stored carries no gradient either
            """
            def moved(self, old, new):
                return self.momentum * old + (1 - self.momentum) * jax.lax.stop_gradient(new)
            """,
            marks=exhaustive,
        ),
    ],
)
def test_no_line_is_shown_without_an_expression_to_blame(find: Find, name: str, method: str):
    """Nothing computes a wrong value, or it is not known which expression does."""
    assert not any(find(method, name=name))


@pytest.mark.parametrize(
    ("name", "methods", "text"),
    [
        (
            "line_under_jit",
            """
            def moments(self, x):
                var = x.var(0)
                if isinstance(x, jax.core.Tracer):
                    var = var * (len(x) / max(len(x) - 1, 1))
                return x.mean(0), var
            """,
            "var * (len(x) / max(len(x) - 1, 1))",
        ),
        pytest.param(
            "line_of_fourth_call",
            """
            calls = 0

            def moments(self, x):
                self.calls += 1
                return x.mean(0), x.var(0) * (0.9 if self.calls > 3 else 1)
            """,
            "x.var(0) * (0.9 if self.calls > 3 else 1)",
            marks=exhaustive,
        ),
        pytest.param(
            "line_of_large_batch",
            """
            def moments(self, x):
                return jnp.mean(x[:32], axis=0), x.var(0)
            """,
            "jnp.mean(x[:32], axis=0)",
            marks=exhaustive,
        ),
    ],
)
def test_a_mistake_is_traced_where_it_is_made(find: Find, name: str, methods: str, text: str):
    """Under jit, after other calls, or in a batch of many rows."""
    (line,) = find(methods, name=name)
    assert line is not None
    assert line.text == text


def test_where_a_stop_is_missing_is_shown(find: Find):
    """Only the running statistics depend on it, and stopping it makes their gradients zero."""
    method = """
    def moved(self, old, new):
        kept = self.momentum * old
        return kept + (1 - self.momentum) * new
    """
    (line,) = find(method, name="line_of_leak")
    assert line is not None
    assert line.text == "(1 - self.momentum) * new"
    assert line.expected == 0 != line.got


def test_one_value_for_all_features_is_repaired(find: Find):
    """A number takes the place of as many as there are features."""
    method = """
    def moments(self, x):
        return x.mean(), x.var(0)
    """
    (line,) = find(method, name="line_of_all_features")
    assert line is not None
    assert line.text == "x.mean()"


_BACKWARD = """
def normalize(self, x, mean, var):
    @jax.custom_vjp
    def scaled(centred, inv):
        return centred * inv

    def back(saved, w):
        centred, inv = saved
        return w * inv, (w * centred).sum(0) / 2

    scaled.defvjp(lambda centred, inv: (centred * inv, (centred, inv)), back)
    return scaled(x - mean, 1 / jnp.sqrt(var + self.eps))
"""


def test_the_line_of_a_backward_pass_is_in_its_function(find: Find):
    """JAX reports the call as the place of what a backward function computes; its own is found."""
    (line,) = filter(None, find(_BACKWARD, name="line_of_backward"))
    assert source_at(line).startswith("(w * centred).sum(0)")
    assert "w" in line.given


def test_what_stops_a_gradient_is_shown(find: Find):
    """The gradient is right without it, and wrong with it alone."""
    method = """
    def moments(self, x):
        mean = jax.lax.stop_gradient(x.mean(0))
        return mean, jnp.square(x - mean).mean(0)
    """
    stored = """
    def moved(self, old, new):
        return self.momentum * old + (1 - self.momentum) * jax.lax.stop_gradient(new)
    """
    (line,) = find(method, stored, name="line_that_stops")
    assert line is not None
    assert line.text == "jax.lax.stop_gradient(x.mean(0))" == source_at(line)
    assert line.got != line.expected


def test_the_line_of_a_forward_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A layer that is a function has a line, too: here of a mean that is wrong."""
    monkeypatch.chdir(tmp_path)
    Path("line_of_function.py").write_text(_FUNCTION, encoding="utf-8")
    subject = Subject(resolve("line_of_function.py:forward"))
    (line,) = find_lines(subject, investigate(subject))
    assert line is not None
    assert source_at(line) == "jnp.median(x, axis=0)"


_FUNCTION = """
import jax.numpy as jnp


def forward(seed, x, use_running_average):
    x = jnp.asarray(x, jnp.float32)
    mean, var = jnp.median(x, axis=0), x.var(0)
    if use_running_average >= 0.5:
        mean, var = 0.0, 1.0
    return ((x - mean) / jnp.sqrt(var + 1e-5)).reshape(-1)
"""
