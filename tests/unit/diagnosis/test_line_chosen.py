"""The line of a right value that is used in the place of another one."""

from __future__ import annotations

import pytest
from support.lines import Find, source_at
from support.sampling import exhaustive


@pytest.mark.parametrize(
    ("name", "method", "text", "uses"),
    [
        (
            "line_of_receiver",  # both modes evaluate every expression
            """
            def __call__(self, x, use_running_average):
                mean, var = self.moments(x)
                if use_running_average:
                    var = self.running_var[...]
                else:
                    self.running_mean[...] = self.moved(self.running_mean[...], mean)
                    self.running_var[...] = self.moved(self.running_var[...], var)
                return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
            """,
            "x - mean",
            "x − mean",
        ),
        (
            "line_of_operand",  # only the wrong mode reads these
            """
            def __call__(self, x, use_running_average):
                if use_running_average:
                    mean, var = self.running_var[...], self.running_mean[...]
                    return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
                return super().__call__(x, False)
            """,
            "self.running_var[...]",
            "",
        ),
        pytest.param(
            "line_of_call",  # only the wrong mode makes this call
            """
            def __call__(self, x, use_running_average):
                y = super().__call__(x, use_running_average)
                if use_running_average:
                    mean, var = self.moments(x)
                    y = self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
                return y
            """,
            "self.moments(x)",
            "batch mean",
            marks=exhaustive,
        ),
    ],
)
def test_where_a_wrong_statistic_is_chosen_is_shown(
    find: Find, name: str, method: str, text: str, uses: str
):
    """An expression that is right in the other mode is to blame only if nothing else differs."""
    (line,) = find(method, name=name)
    assert line is not None
    assert (line.text, line.uses, line.training) == (text, uses, False)


@pytest.mark.parametrize(
    ("name", "method", "text"),
    [
        (
            "line_of_number",  # what uses it is right for any number
            """
        def moved(self, old, new):
            kept = 0.9
            return kept * old + (1 - kept) * new
        """,
            "kept = 0.9",
        ),
        pytest.param(
            "line_of_loop",
            """
        def __call__(self, x, use_running_average):
            if use_running_average:
                return super().__call__(x, True)
            mean, var = self.moments(x)
            std = jnp.sqrt(var + self.eps)
            for held, value in ((self.running_mean, mean), (self.running_var, std)):
                held[...] = self.moved(held[...], value)
            return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
        """,
            "((self.running_mean, mean), (self.running_var, std))",
            marks=exhaustive,
        ),
        pytest.param(
            "line_of_site",  # the function is right where the other mode calls it
            """
        def __call__(self, x, use_running_average):
            if use_running_average:
                return self.normalize(x, self.running_mean[...], self.running_var[...])
            return super().__call__(x, False)
        """,
            "self.normalize(x, self.running_mean[...], self.running_var[...])",
            marks=exhaustive,
        ),
        (
            "line_of_argument",  # the function is right for other arguments
            """
        def __call__(self, x, use_running_average):
            if use_running_average:
                return super().__call__(x, True)
            mean, var = self.moments(x)
            self.running_mean[...] = self.moved(self.running_mean[...], mean)
            self.running_var[...] = self.moved(self.running_mean[...], var)
            return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
        """,
            "self.moved(self.running_mean[...], var)",
        ),
        (
            "line_of_constructor",
            """
        def __init__(self, d, momentum, eps, rngs):
            super().__init__(d, eps, momentum, rngs)
        """,
            "super().__init__(d, eps, momentum, rngs)",
        ),
        (
            "line_of_keywords",  # of an attribute that has another name where it is used
            """
            def __init__(self, d, momentum, eps, rngs):
                super().__init__(d, momentum=eps, eps=momentum, rngs=rngs)

            def moved(self, old, new):
                m = self.momentum
                return m * old + (1 - m) * new
            """,
            "super().__init__(d, momentum=eps, eps=momentum, rngs=rngs)",
        ),
        (
            "line_of_initial_value",
            """
        def __init__(self, d, momentum, eps, rngs):
            self.momentum, self.eps = momentum, eps
            self.gamma, self.beta = nnx.Param(jnp.ones(d)), nnx.Param(jnp.zeros(d))
            self.running_mean = nnx.Variable(jnp.zeros(d))
            self.running_var = nnx.Variable(jnp.zeros(d))
        """,
            "self.running_var = nnx.Variable(jnp.zeros(d))",
        ),
        (
            "line_of_results",  # they are taken in the wrong order, and used rightly
            """
        def __call__(self, x, use_running_average):
            if use_running_average:
                return super().__call__(x, True)
            mean, var = self.moments(x)
            new_mean = self.moved(self.running_mean[...], mean)
            self.store((new_mean, self.moved(self.running_var[...], var)))
            return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]

        def store(self, new):
            var, mean = new
            self.running_mean[...] = mean
            self.running_var[...] = var
        """,
            "var, mean = new",
        ),
        (
            "line_of_selection",  # both are right, for one of the modes
            """
        def moved(self, old, new):
            return jnp.where(self.evaluating, super().moved(old, new), old)

        def __call__(self, x, use_running_average):
            self.evaluating = use_running_average
            mean, var = self.moments(x)
            self.running_var[...] = self.moved(self.running_var[...], var)
            if use_running_average:
                mean, var = self.running_mean[...], self.running_var[...]
            else:
                self.running_mean[...] = super().moved(self.running_mean[...], mean)
            return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
        """,
            "jnp.where(self.evaluating, super().moved(old, new), old)",
        ),
    ],
)
def test_where_an_operand_got_a_wrong_value_is_shown(find: Find, name: str, method: str, text: str):
    """What would be right with another value of a name is not to blame."""
    lines = [line for line in find(method, name=name) if line is not None]
    assert {line.text for line in lines} == {text}
    assert all(line.got != line.expected for line in lines)


@pytest.mark.parametrize(
    ("name", "method", "text"),
    [
        (
            "line_of_alias",
            """
            def __call__(self, x, use_running_average):
                mu = x.mean(0)
                centre = mu
                var = self.running_var[...]
                if not use_running_average:
                    _, var = self.moments(x)
                    self.running_mean[...] = self.moved(self.running_mean[...], mu)
                    self.running_var[...] = self.moved(self.running_var[...], var)
                return self.gamma[...] * self.normalize(x, centre, var) + self.beta[...]
            """,
            "centre = mu",
        ),
        (
            "line_of_dict",
            """
            def __call__(self, x, use_running_average):
                if use_running_average:
                    return super().__call__(x, True)
                mean, var = self.moments(x)
                std = jnp.sqrt(var)
                batch = {"mean": mean, "var": std}
                self.running_mean[...] = self.moved(self.running_mean[...], batch["mean"])
                self.running_var[...] = self.moved(self.running_var[...], batch["var"])
                return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
            """,
            'batch = {"mean": mean, "var": std}',
        ),
        pytest.param(
            "line_of_return",
            """
            def __call__(self, x, use_running_average):
                batch_var = x.var(0)
                def evaluate():
                    return self.running_mean[...], batch_var
                def train():
                    mean = x.mean(0)
                    self.running_mean[...] = self.moved(self.running_mean[...], mean)
                    self.running_var[...] = self.moved(self.running_var[...], batch_var)
                    return 1.0 * mean, batch_var
                mean, var = evaluate() if use_running_average else train()
                return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
            """,
            "return self.running_mean[...], batch_var",
            marks=exhaustive,
        ),
    ],
)
def test_where_a_value_is_passed_on_is_shown(find: Find, name: str, method: str, text: str):
    """The statement that gives a right value to what needs another one is to blame."""
    (line,) = filter(None, find(method, name=name))
    assert line.text == text
    assert source_at(line) in text
    assert line.got != line.expected


def test_a_wrong_formula_is_not_blamed_on_its_argument(find: Find):
    """A value is passed to one function only, and what this computes from it is wrong."""
    method = """
    def normalize(self, x, mean, var):
        def root(value):
            return jnp.sqrt(value) + self.eps
        spread = 1.0 * var
        return (x - mean) / root(spread)
    """
    (line,) = find(method, name="line_of_formula")
    assert line is not None
    assert line.text == "jnp.sqrt(value) + self.eps"


def test_what_is_right_for_the_updated_statistics_is_not_blamed(find: Find):
    """The call that is given them is, although evaluation makes it, too."""
    (line,) = find(
        """
        def __call__(self, x, use_running_average):
            stats = {"mean": self.running_mean[...], "var": self.running_var[...]}
            if not use_running_average:
                mean, var = self.moments(x)
                stats = jax.tree.map(self.moved, stats, {"mean": mean, "var": var})
                self.running_mean[...], self.running_var[...] = stats["mean"], stats["var"]
            return self.gamma[...] * self.normalize_by(x, stats) + self.beta[...]

        def normalize_by(self, x, stats):
            return (x - stats["mean"]) / jnp.sqrt(stats["var"] + self.eps)
        """,
        name="line_of_updated",
    )
    assert line is not None
    assert line.text == "self.normalize_by(x, stats)"
