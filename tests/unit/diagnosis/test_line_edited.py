"""Lines of mistakes that a small edit of the source corrects."""

from __future__ import annotations

import pytest
from support.lines import Find, source_at

exhaustive = pytest.mark.exhaustive

_RULE = """
@partial(jax.custom_vjp, nondiff_argnums=(1,))
def {name}(x, eps):
    return {name}_forward(x, eps)[0]


def {name}_forward(x, eps):
    mean, r = x.mean(0), 1 / jnp.sqrt(x.var(0) + eps)
    z = (x - mean) * r
    return z, {kept}


def {name}_backward(eps, kept, w):
    z, r = kept
    {step}
    return (dx,)


{name}.defvjp({name}_forward, {name}_backward)
"""


@pytest.mark.parametrize(
    ("name", "methods", "text", "how", "new"),
    [
        pytest.param(
            "edit_arguments",
            """
            def moved(self, new, old):
                return self.momentum * old + (1 - self.momentum) * new

            def __call__(self, x, use_running_average):
                if not use_running_average:
                    mean, var = self.moments(x)
                    self.running_mean[...] = self.moved(mean, self.running_mean[...])
                    self.running_var[...] = self.moved(self.running_var[...], var)
                    return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
                return super().__call__(x, True)
            """,
            "self.moved(self.running_var[...], var)",
            "instead",
            "self.moved(var, self.running_var[...])",
        ),
        (
            "edit_in_numpy",
            """
            def moments(self, x):
                x = np.asarray(x)
                return x.mean(0), x.var(0, ddof=1)
            """,
            "x.var(0, ddof=1)",
            "instead",
            "x.var(0)",
        ),
        (
            "edit_of_flag",
            """
            def __call__(self, x, use_running_average):
                return super().__call__(x, not use_running_average)
            """,
            "super().__call__(x, not use_running_average)",
            "instead",
            "super().__call__(x, use_running_average)",
        ),
        (
            "edit_of_missing",
            """
            def __call__(self, x, use_running_average):
                if not use_running_average:
                    mean, var = self.moments(x)
                    self.running_mean[...] = self.moved(self.running_mean[...], mean)
                    return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
                return super().__call__(x, True)
            """,
            "self.running_mean[...] = self.moved(self.running_mean[...], mean)",
            "also",
            "self.running_var[...] = self.moved(self.running_var[...], var)",
        ),
        pytest.param(
            "edit_of_guard",
            """
            def store(self, mean, var):
                self.running_mean[...] = self.moved(self.running_mean[...], mean)
                self.running_var[...] = self.moved(self.running_var[...], var)

            def __call__(self, x, use_running_average):
                mean, var = batch = self.moments(x)
                if use_running_average:
                    mean, var = self.running_mean[...], self.running_var[...]
                self.store(*batch)
                return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
            """,
            "self.store(*batch)",
            "in training",
            "self.store(*batch)",
            marks=exhaustive,
        ),
        pytest.param(
            "edit_of_branches",
            """
            def __call__(self, x, use_running_average):
                kept = self.running_mean[...], self.running_var[...]
                mean, var = jax.lax.cond(
                    use_running_average, lambda: self.moments(x), lambda: kept
                )
                if not use_running_average:
                    super().__call__(x, False)
                return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
            """,
            "jax.lax.cond( use_running_average, lambda: self.moments(x), lambda: kept )",
            "instead",
            "jax.lax.cond(use_running_average, lambda: kept, lambda: self.moments(x))",
            marks=exhaustive,
        ),
        pytest.param(
            "edit_of_condition",
            """
            def store(self, x, mean, var):
                if len(x) > 1:
                    self.running_mean[...] = self.moved(self.running_mean[...], mean)
                    self.running_var[...] = self.moved(self.running_var[...], var)

            def __call__(self, x, use_running_average):
                if use_running_average:
                    return super().__call__(x, True)
                mean, var = self.moments(x)
                self.store(x, mean, var)
                return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
            """,
            "len(x) > 1",
            "instead",
            "len(x) >= 1",
            marks=exhaustive,
        ),
        pytest.param(
            "edit_of_cast",
            """
            def moments(self, x):
                x = x.astype(jnp.bfloat16)
                return x.mean(0).astype(jnp.float32), x.var(0).astype(jnp.float32)
            """,
            "x.astype(jnp.bfloat16)",
            "instead",
            "x",
            marks=exhaustive,
        ),
        pytest.param(
            "edit_of_order",
            """
            def scale(self, z):
                z = z + self.beta[...]
                return z * self.gamma[...]

            def __call__(self, x, use_running_average):
                if use_running_average:
                    mean, var = self.running_mean[...], self.running_var[...]
                else:
                    mean, var = self.moments(x)
                    super().__call__(x, False)
                return self.scale(self.normalize(x, mean, var))
            """,
            "z = z + self.beta[...]",
            "instead",
            "z = z * self.gamma[...]; return z + self.beta[...]",
            marks=exhaustive,
        ),
        pytest.param(
            "edit_of_count",
            """
            def moments(self, x):
                n = x.size
                mean = x.sum(0) / n
                return mean, ((x - mean) ** 2).sum(0) / n
            """,
            "n = x.size",
            "instead",
            "n = x.shape[0]",
            marks=exhaustive,
        ),
    ],
)
def test_an_edit_that_makes_all_calls_right_is_shown(
    find: Find, name: str, methods: str, text: str, how: str, new: str
):
    """The place of the edit, and what is there then."""
    line = find(methods, name=name)[0]
    assert line is not None
    assert (line.text, line.how, line.new) == (text, how, new)
    assert source_at(line) == text
    assert line.got != line.expected


_TUPLE = """
from typing import NamedTuple

class Stats(NamedTuple):
    mean: jax.Array
    var: jax.Array

def advanced(stats, mean, var, momentum):
    stats = stats._replace(mean=momentum * stats.mean + (1 - momentum) * mean)
    {step}
    return stats
"""

_ADVANCED = """
    def __call__(self, x, use_running_average):
        if use_running_average:
            return super().__call__(x, True)
        mean, var = self.moments(x)
        stats = Stats(self.running_mean[...], self.running_var[...])
        stats = advanced(stats, mean, var, self.momentum)
        self.running_mean[...], self.running_var[...] = stats
        return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
"""


@pytest.mark.parametrize(
    ("name", "before", "methods", "text", "new"),
    [
        (
            "edit_of_discarded",
            _TUPLE.format(step="stats._replace(var=momentum * stats.var + (1 - momentum) * var)"),
            _ADVANCED,
            "stats._replace(var=momentum * stats.var + (1 - momentum) * var)",
            "stats = stats._replace(var=momentum * stats.var + (1 - momentum) * var)",
        ),
        pytest.param(
            "edit_of_keyword",
            _TUPLE.format(step="pass"),
            _ADVANCED,
            "stats._replace(mean=momentum * stats.mean + (1 - momentum) * mean)",
            "stats._replace(mean=momentum * stats.mean + (1 - momentum) * mean, "
            "var=momentum * stats.var + (1 - momentum) * var)",
            marks=exhaustive,
        ),
        pytest.param(
            "edit_of_default",
            "def spread(x, mean, unbiased: bool = True):\n"
            "    return ((x - mean) ** 2).sum(0) / (len(x) - unbiased if len(x) > 1 else 1)\n",
            """
            def moments(self, x):
                mean = x.mean(0)
                return mean, spread(x, mean)
            """,
            "unbiased: bool = True",
            "unbiased: bool = False",
        ),
        pytest.param(
            "edit_of_chosen_default",
            "class Digits:\n"
            "    def __init__(self, dtype=jnp.float32):\n"
            "        self.dtype = dtype\n"
            "FULL = Digits()\n"
            "FEW = Digits(jnp.bfloat16)\n",
            """
            def moments(self, x, digits=FEW):
                x = x.astype(digits.dtype)
                return x.mean(0).astype(jnp.float32), x.var(0).astype(jnp.float32)
            """,
            "digits=FEW",
            "digits = FULL",
            marks=exhaustive,
        ),
        pytest.param(
            "edit_of_callee",
            "",
            """
            def __init__(self, d, momentum, eps, rngs, track=True):
                super().__init__(d, momentum, eps, rngs)
                self.track = track

            def remember(self, mean, var, training):
                if self.track:
                    self.running_mean[...] = self.moved(self.running_mean[...], mean)
                    self.running_var[...] = self.moved(self.running_var[...], var)

            def __call__(self, x, training):
                mean, var = batch = self.moments(x)
                if not training:
                    mean, var = self.running_mean[...], self.running_var[...]
                self.remember(*batch, training)
                return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
            """,
            "self.track",
            "self.track",
            marks=exhaustive,
        ),
    ],
)
def test_what_is_forgotten_is_shown(
    find: Find, name: str, before: str, methods: str, text: str, new: str
):
    """A result that is not kept, a keyword, a default, a condition that ignores a flag."""
    line = find(methods, name=name, before=before)[0]
    assert line is not None
    assert (line.text, line.new) == (text, new)


def test_what_varies_has_a_line(find: Find):
    """Sums that are not reset are right in the first call, and wrong in the same one again."""
    (line,) = find(
        """
        def __init__(self, d, momentum, eps, rngs):
            super().__init__(d, momentum, eps, rngs)
            self.rows = nnx.Variable(jnp.zeros(()))
            self.total = nnx.Variable(jnp.zeros(d))
            self.squares = nnx.Variable(jnp.zeros(d))

        def reset(self):
            self.rows[...] *= 0
            self.total[...] = jnp.zeros_like(self.total[...])

        def moments(self, x):
            self.reset()
            centre = x[0]
            self.rows[...] += len(x)
            self.total[...] += (x - centre).sum(0)
            self.squares[...] += jnp.square(x - centre).sum(0)
            mean = self.total[...] / self.rows[...]
            return centre + mean, self.squares[...] / self.rows[...] - mean * mean
        """,
        name="edit_of_reset",
    )
    assert line is not None
    assert (line.how, line.new) == ("also", "self.squares[...] *= 0")


def test_what_shows_after_other_calls_only_is_edited_after_them(find: Find):
    """A correction that counts calls is right in the first one."""
    (line,) = find(
        """
        def __init__(self, d, momentum, eps, rngs, corrects=True):
            super().__init__(d, momentum, eps, rngs)
            self.corrects, self.calls = corrects, nnx.Variable(jnp.zeros(()))

        def __call__(self, x, use_running_average):
            if not use_running_average:
                self.calls[...] += 1
                return super().__call__(x, False)
            kept = self.momentum ** self.calls[...] if self.corrects else 0
            share = 1 - kept * (kept < 1)
            mean, var = self.running_mean[...] / share, self.running_var[...] / share
            return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]
        """,
        name="edit_after_calls",
    )
    assert line is not None
    assert (line.text, line.new) == ("corrects=True", "corrects = False")


def test_a_cache_that_nothing_invalidates_is_shown(find: Find):
    """It is right until the statistics change; then the condition that keeps it is wrong."""
    (line,) = find(
        """
        def __init__(self, d, momentum, eps, rngs):
            super().__init__(d, momentum, eps, rngs)
            self.kept, self.ready = nnx.Cache(jnp.ones(d)), False

        def __call__(self, x, use_running_average):
            if not use_running_average:
                return super().__call__(x, False)
            if not self.ready:
                self.kept[...] = 1 / jnp.sqrt(self.running_var[...] + self.eps)
                self.ready = True
            z = (x - self.running_mean[...]) * self.kept[...]
            return self.gamma[...] * z + self.beta[...]
        """,
        name="edit_of_cache",
    )
    assert line is not None
    assert (line.text, line.how) == ("not self.ready", "without")


def test_an_argument_that_does_not_override_the_mode_is_shown(find: Find):
    """Only calls after module.eval() are wrong."""
    (line,) = find(
        """
        def __init__(self, d, momentum, eps, rngs):
            super().__init__(d, momentum, eps, rngs)
            self.use_running_average = False

        def __call__(self, x, use_running_average=None):
            return super().__call__(x, use_running_average or self.use_running_average)
        """,
        name="edit_of_mode",
    )
    assert line is not None
    assert line.text == "use_running_average or self.use_running_average"


def test_results_of_16_bits_are_compared(find: Find):
    """A result that is only rounded is not one that is missing."""
    lines = find(
        """
        def __call__(self, x, use_running_average):
            return super().__call__(x, use_running_average).astype(jnp.bfloat16)
        """,
        name="edit_of_rounding",
    )
    line = next(filter(None, lines))
    assert line.text == "super().__call__(x, use_running_average).astype(jnp.bfloat16)"


@pytest.mark.parametrize(
    ("name", "kept", "step", "text", "new"),
    [
        (
            "exchanged",
            "(r, z)",
            "dx = r * (w - w.mean(0) - z * (w * z).mean(0))",
            "z, r = kept",
            "r, z = kept",
        ),
    ],
)
def test_a_rule_for_gradients_is_edited(
    find: Find, name: str, kept: str, step: str, text: str, new: str
):
    """What a rule keeps, and a factor that it lacks."""
    rule = _RULE.format(name=name, kept=kept, step=step)
    method = f"""
        def __call__(self, x, use_running_average):
            y = super().__call__(x, use_running_average)
            if use_running_average:
                return y
            return self.gamma[...] * {name}(x, self.eps) + self.beta[...]
    """
    line = next(filter(None, find(method, name=f"edit_{name}", before=rule)))
    assert (line.text, line.how, line.new) == (text, "instead", new)


def test_an_initial_value_is_edited_where_it_is_made(find: Find):
    """It need not be in the constructor."""
    (line,) = find(
        """
        def __init__(self, d, momentum, eps, rngs):
            super().__init__(d, momentum, eps, rngs)
            self.start(d)

        def start(self, d):
            self.running_var = nnx.Variable(jnp.zeros(d))
        """,
        name="edit_of_initial",
    )
    assert line is not None
    assert (line.how, line.new) == ("instead", "jnp.ones(d)")


@pytest.mark.parametrize(
    ("name", "method"),
    [
        (
            "edit_of_correct",
            "def moments(self, x):\n    return x.mean(0), jnp.square(x - x.mean(0)).mean(0)",
        ),
        ("edit_of_unknown", "def moments(self, x):\n    return x.mean(0), jnp.sort(x, 0)[0]"),
    ],
)
def test_no_edit_is_shown_where_none_is_right(find: Find, name: str, method: str):
    """Neither of a correct layer, nor where nothing small helps."""
    assert not any(line.how for line in find(method, name=name) if line)
