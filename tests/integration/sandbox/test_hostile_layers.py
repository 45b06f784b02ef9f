"""Nothing that an implementation does can break a run, or change the verdict on another."""

from __future__ import annotations

import os

import pytest
from support.hostile_runs import GOOD, TESTS, run_and_check, verdicts_on
from support.sampling import exhaustive

from conformance.engine.budget import budget
from conformance.engine.sandbox.limits import GIB, Limits
from conformance.engine.sandbox.supervisor import Supervisor
from conformance.requirements.verdict import Outcome

DEAD = {
    "exits": "the process ended with exit code 0",
    "segfault": "the process was ended by SIGSEGV",
    "abort": "the process was ended by SIGABRT",
    "killed": "the process was ended by SIGKILL",
    "recursion": "RecursionError",
    "memory_hog": "MemoryError",
    "deaf": "the process closed the line to the suite",
}
HOARDING = dict.fromkeys(
    ("growing", "bursting"), "the process took more than 2 GiB of memory, expected a result"
)
HANGING = dict.fromkeys(("in_python", "in_c"), "no result within 4 s")
CONSTRUCTING = {
    "raises": "ValueError: features must be a multiple of 128",
    "hangs": "no result within 4 s",
    "nothing": "AttributeError: 'NoneType' object has no attribute 'write'",
}
ANSWERS = {
    "shape": "shape of y",
    "dtype": "y in evaluation: got",
    "text": "y: got str, expected a numeric array",
    "nothing": "y: got NoneType, expected a numeric array",
    "generator": "y: got generator, expected a numeric array",
    "tracer": "DynamicJaxprTracer, expected a numeric array",
    "object_": "KeyboardInterrupt",
    "nan": "got nan",
    "no_state": "gamma: got NoneType, expected a numeric array",
    "fickle": "y in evaluation: got",
}
RAISED = {
    "interrupt": "KeyboardInterrupt",
    "leave": "SystemExit: 0",
    "generator_exit": "GeneratorExit",
    "base": "_Base: neither fish nor fowl",
    "mute": "_Mute, whose message raises RuntimeError",
    "skip": "Skipped: nothing to see here",
    "end": "Exit: over",
    "markup": r"ValueError: [red]boo[/] \x1b]0;title\x07 <b>&\x00 \udcff",
}
EFFECTS = {
    "prints": None,
    "closes": "sys.stdout",
    "writes": None,
    "moves": "the working directory",
    "seeds": None,
    "x64": "jax.config.jax_enable_x64",
    "warns": None,
    "environment": "os.environ['JAX_PLATFORMS']",
    "signals": "the handler of SIGTERM",
    "patches": "jax.numpy.mean",
    "leaks": None,
    "threads": None,
}


KINDS = {
    "constructing": CONSTRUCTING,
    "hanging": HANGING,
    "dying": DEAD,
    "hoarding": HOARDING,
    "answering": ANSWERS,
    "raising": RAISED,
}


def assert_violations(report: dict, causes: dict[str, str]) -> None:
    """Assert that each named layer violates, for the reason that is given."""
    for name, cause in causes.items():
        (verdict,) = verdicts_on(report, name)
        assert verdict["outcome"] == "violates", verdict
        finding = verdict["violation"]["finding"]
        sentence = f"{finding['quantity']}: got {finding['got']}, expected {finding['expected']}"
        assert cause in sentence, name
        assert verdict["violation"]["inputs"]["x"], name  # the case is known, even of the dead


def test_one_layer_of_each_kind_violates(alone, tmp_path):
    """The first of each kind, in one run; how memory is limited is shown below."""
    causes = {
        f"support.hostile.{kind}:{name}": cause
        for kind, (name, cause) in ((kind, next(iter(KINDS[kind].items()))) for kind in KINDS)
        if kind != "hoarding"
    }
    code, report, output = run_and_check([*causes, GOOD], tmp_path, "-k", "EVAL-1")

    assert code == 1
    assert verdicts_on(report, GOOD) == alone
    assert_violations(report, causes)
    assert not {"\x1b", "\x07", "\0"} & set(output)


def test_the_memory_of_a_process_is_limited(monkeypatch):
    """A layer that takes more than it may is ended, and that is the finding."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)
    supervisor = Supervisor(budget(max_examples=3), Limits(memory=GIB // 2))
    try:
        verdict = supervisor.judge("BN-EVAL-1", "support.hostile.hoarding:growing")
    finally:
        supervisor.close()
    assert verdict.outcome is Outcome.VIOLATES
    assert "more than 0.5 GiB of memory" in str(verdict.violation.finding.got)


@exhaustive
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_layer_does_is_its_own_violation(kind, alone, tmp_path):
    """Each is found to violate, for the right reason; the layer judged after it is not."""
    causes = {f"support.hostile.{kind}:{name}": cause for name, cause in KINDS[kind].items()}
    patient = ["--call-timeout=60"] * (kind == "hoarding")  # filling memory may take a while
    code, report, output = run_and_check([*causes, GOOD], tmp_path, "-k", "EVAL-1", *patient)

    assert code == 1
    assert verdicts_on(report, GOOD) == alone
    assert_violations(report, causes)
    assert not {"\x1b", "\x07", "\0"} & set(output)


@pytest.mark.parametrize(
    "chosen",
    [("closes", "moves", "seeds"), pytest.param(tuple(EFFECTS), marks=exhaustive)],
    ids=["some", "all"],
)
def test_what_the_process_shares_is_not_shared(chosen, alone, tmp_path):
    """Who changes process-wide state conforms if its numbers do, is reported, and harms nobody."""
    names = {f"support.hostile.meddling:{name}": EFFECTS[name] for name in chosen}
    code, report, output = run_and_check([*names, GOOD], tmp_path, "-k", "EVAL-1")

    assert code == 0
    assert verdicts_on(report, GOOD) == alone
    for name, effect in names.items():
        (verdict,) = verdicts_on(report, name)
        assert verdict["outcome"] == "conforms", verdict
        seen = report["side_effects"].get(name, [])
        assert (effect in seen) if effect else not seen, name
    moved = "support.hostile.meddling:moves changed process-wide state: the working directory."
    assert moved in " ".join(output.split())  # lines are wrapped
    assert "spam" not in output


@exhaustive
def test_a_backward_pass_may_hang_or_not_exist(tmp_path):
    """An endless derivative is a violation, and so is a capability that is only declared."""
    names = ["support.hostile.hanging:Backward", "support.hostile.lying:module"]
    code, report, _ = run_and_check(names, tmp_path, "-k", "GRAD-3")

    assert code == 1
    (endless,), (lie,) = (verdicts_on(report, name) for name in names)
    assert endless["violation"]["finding"]["got"] == "no result within 4 s"
    assert "differentiating" in endless["violation"]["finding"]["quantity"]
    assert lie["outcome"] == "violates", lie
    assert "module" in lie["violation"]["finding"]["got"]


def test_a_layer_that_keeps_dying_is_given_up(tmp_path):
    """After two lost processes the rest is reported as not judged, and says why, once."""
    code, report, output = run_and_check(["support.hostile.dying:exits"], tmp_path, "-k", "EVAL")

    assert code == 1
    outcomes = [v["outcome"] for v in report["verdicts"]]
    assert outcomes.count("violates") == 2
    assert outcomes.count("errored") == len(outcomes) - 2
    said = " ".join(output.split())
    assert said.count("not judged any more: 2 processes were lost in BN-EVAL-") == 1


def test_correct_layers_have_no_side_effects():
    """What jax and flax do by themselves is not blamed on the layer."""
    supervisor = Supervisor(budget(max_examples=20))
    try:
        for requirement in ("BN-EVAL-1", "BN-GRAD-3", "BN-JIT-3"):
            verdict = supervisor.judge(requirement, "impl")
            assert verdict.outcome is Outcome.CONFORMS
        assert supervisor.take_effects("impl") == []
    finally:
        supervisor.close()
