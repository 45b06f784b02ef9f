"""Layers as people write them: the line of Python that recognition arrives at."""

from __future__ import annotations

import pytest
from support import misled_layers, published_layers, unseen_layers, unusual_layers

from conformance.adapters.errors import AdapterError
from conformance.adapters.implementation import Implementation
from conformance.adapters.recognition import recognize as as_recognized
from conformance.adapters.recognition.conclusion import Recognized
from conformance.adapters.recognition.module import recognize_module
from conformance.requirements.deviations import Deviation
from impl.debiased import DebiasedBatchNorm
from impl.variants import VARIANTS

NAMED = 'features="num_features", rngs=False'
TRAINS = 'flag="train", flag_means="training"'
OPAQUE = 'features="k", momentum="keep", eps="floor", rngs=False, gamma="p", beta="q", '
OPAQUE += 'running_mean="r", running_var="s"'
DETERMINISTIC = (
    'features="channels", momentum="decay", eps="epsilon", gamma="weight", beta="bias", '
)
DETERMINISTIC += 'running_mean="moving_mean", running_var="moving_variance", flag="deterministic"'

LINES = {
    "Train": f"{NAMED}, {TRAINS}",
    "Shown": f'{NAMED}, running_mean="_mean", running_var="_var", {TRAINS}',
    "Deterministic": DETERMINISTIC,
    "Opaque": f'{OPAQUE}, flag="live", flag_means="training"',
    "OpaqueProduct": 'features="k", momentum="keep", rngs=False, gamma="p", beta="q", '
    'running_mean="mean", running_var="var", flag="live", flag_means="training", '
    'fixed={"eps": 1e-05}',  # an evaluation to zeros shows no ε
    "OpaqueInverted": f'{OPAQUE}, flag="quiet"',
    "Required": 'features="k", momentum="keep", eps="floor", rngs=False, flag="training", '
    'flag_means="training"',
    "Fixed": 'features="dim", rngs=False, fixed={"momentum": 0.997, "eps": 0.002}',
    "Attribute": 'rngs=False, flag=".training", flag_means="training"',
    "Overriding": 'rngs=False, flag="training", flag_means="training"',
    "Overridden": 'rngs=False, flag="training", flag_means="training"',
    "OpaqueAttribute": 'rngs=False, flag=".busy", flag_means="training"',
    "Methods": 'rngs=False, flag="train()/eval()"',
    "Setter": 'rngs=False, flag="set_training(value)", flag_means="training"',
    "Images": f'features="num_features", {TRAINS}, ndim=4',
    "ChannelsFirst": f'{NAMED}, {TRAINS}, layout="first", ndim=4',
    "Sequences": f'features="num_features", {TRAINS}, ndim=3',
    "SequencesFirst": f'{NAMED}, {TRAINS}, layout="first", ndim=3',
    "Volumes": f'features="num_features", {TRAINS}, ndim=5',
    "RowsOrImages": f'features="num_features", {TRAINS}, ndim=4',
    "AnyRank": f'features="num_features", {TRAINS}, wider=Wider(ndim=True)',
    "RowArrays": f"{NAMED}, {TRAINS}",
    "TorchLike": f"{NAMED}, {TRAINS}",
    "ScaleOnly": f'{NAMED}, gamma="bn.scale", beta=None, running_mean="bn.mean", '
    'running_var="bn.var", flag="is_training", flag_means="training", wider=Wider(ndim=True)',
    "NotAffine": f'{NAMED}, gamma=None, beta=None, running_mean="mean", running_var="var", '
    f"{TRAINS}",
    "WithoutStatistics": f'{NAMED}, gamma="scale", beta="shift", running_mean=None, '
    'running_var=None, flag=None, fixed={"momentum": 1.0}, modes="training"',
    "Inference": f'{NAMED}, flag=None, fixed={{"momentum": 1.0}}, modes="evaluation", '
    "wider=Wider(ndim=True)",
    "AlwaysTrains": f"{NAMED}, flag=None",
    "Averages": f'{NAMED}, gamma="scale", beta="offset", running_mean="mean_ema.average", '
    'running_var="var_ema.average"',
    "Nested": 'features="width", momentum="ema", gamma="inner.scale", beta="inner.bias", '
    'running_mean="inner.mean", running_var="inner.var", flag=".inner.use_running_average", '
    'fixed={"eps": 1e-05}, wider=Wider(ndim=True)',
    "Kwargs": f'features="num_features", {TRAINS}',
    "HiddenKwargs": f"{NAMED}, {TRAINS}",
    "Dims": f'{NAMED}, {TRAINS}, layout="first", ndim=4, '
    'arguments={"num_dims": 4, "dtype": "float32", "affine": True}',
    "NumPy": f"{NAMED}, {TRAINS}",
    "WrongNames": "",
    "IgnoresFlag": "",
    "Bound": DETERMINISTIC,
    "make_train": f'features="dim", rngs=False, {TRAINS}, fixed={{"eps": 0.0001}}',
    "make_default": f"{NAMED}, {TRAINS}",
}

TORCH = "{Deviation.MOMENTUM_OF_NEW_VALUE, Deviation.SINGLE_ROW_REFUSED, "
TORCH += "Deviation.UNBIASED_RUNNING_VARIANCE}"

SUGGESTIONS = {
    "TorchLike": (f"deviations={TORCH}", 'extra=("num_batches_tracked",)'),
    "ScaleOnly": ("deviations={Deviation.ONE_PASS_VARIANCE}",),
    "Nested": ("deviations={Deviation.ONE_PASS_VARIANCE}",),
    "FrozenInside": ('modes="evaluation"',),
}


def recognize(name: str) -> Recognized:
    return recognize_module(f"file.py:{name}", getattr(published_layers, name))


UNSEEN = {
    "NewValueImages": 'features="channels", momentum="decay", eps="epsilon", gamma="g", beta="b", '
    'running_mean="avg_mean", running_var="avg_var", flag="is_training", flag_means="training", '
    'layout="first", ndim=4',
    "Nameless": 'features="k", momentum="q", eps="z", rngs=False, gamma="p2", beta="p1", '
    'running_mean="s2", running_var="s1", flag="live", flag_means="training"',
    "FixedSequences": 'features="d_model", rngs=False, gamma="weight", beta=None, '
    'running_mean="rm", running_var="rv", flag="train()/eval()", ndim=3, '
    'fixed={"momentum": 0.95, "eps": 0.001}',
    "SyncedMoments": 'features="features", eps="epsilon", rngs=False, gamma=None, beta=None, '
    'running_mean="mean", running_var="var", flag="deterministic", '
    'wider=Wider(ndim=True, axis_name="axis_name")',
    "Renamed": 'features="width", momentum="ema", gamma="inner.scale", beta="inner.bias", '
    'running_mean="inner.mean", running_var="inner.var", flag="train", flag_means="training", '
    'fixed={"eps": 1e-05}, wider=Wider(ndim=True)',
    "BatchOnly": f'{NAMED}, gamma="scale", beta="shift", running_mean=None, running_var=None, '
    'flag=None, fixed={"momentum": 1.0}, modes="training"',
    "RequiredDtype": 'features="num_channels", rngs=False, flag="set_mode(training)", '
    'flag_means="training", ndim=5, arguments={"dtype": "float32"}',
    "bound": 'features="size", eps="epsilon", gamma=None, beta=None, flag="training", '
    'flag_means="training"',
    "PassedOn": 'features="size", eps="epsilon", gamma="weight", beta="bias", flag="training", '
    'flag_means="training"',
    "InvertedTrain": TRAINS,
}


@pytest.mark.parametrize("name", UNSEEN)
def test_unseen_lines(name: str):
    """So are they in layers that were written before recognition."""
    found = recognize_module(f"file.py:{name}", getattr(unseen_layers, name))
    assert found.line == f"Implementation.nnx({name}, {UNSEEN[name]})"


NF = 'features="num_features", rngs=False'
CONFIGURED = 'features="{0}.width", momentum="{0}.decay", eps="{0}.epsilon", {1}'
STACKED = 'running_mean="stats[0]", running_var="stats[1]"'
SCALED = f'{NF}, gamma="scale", beta="bias"'
UNUSUAL = {
    "Listed": f'{NF}, flag="mode", flag_values=("train", "infer")',
    "WithDefault": f'{NF}, flag="split", flag_values=("TRAIN", "TEST")',
    "RequiredWord": f'{NF}, flag="phase", flag_values=("train", "eval")',
    "InAttribute": f'{NF}, flag=".stage", flag_values=("train", "eval")',
    "BySetter": f'{NF}, flag="set_mode(mode)", flag_values=("train", "eval")',
    "BooleanMode": f'{NF}, flag="mode", flag_means="training"',
    "FailsInEvaluation": f"{NF}, {TRAINS}",
    "Configured": CONFIGURED.format("cfg", TRAINS),
    "PartlyConfigured": 'features="channels", momentum="hyper.alpha", eps="hyper.eps", '
    f"rngs=False, {TRAINS}",
    "KeepsMean": f"{NF}, {TRAINS}",
    "Typed": f"{NF}, {TRAINS}, takes_numpy=False",
    "Indexed": f"{NF}, {TRAINS}, takes_numpy=False",
    "OneArray": f'{NF}, gamma="affine[0]", beta="affine[1]", {STACKED}, {TRAINS}, '
    'fixed={"momentum": 0.9, "eps": 1e-05}',
    "StackedStatistics": f'{SCALED}, {STACKED}, {TRAINS}, fixed={{"momentum": 0.9, "eps": 1e-05}}',
    "InDictionary": f"{SCALED}, running_mean=\"stats['mean']\", running_var=\"stats['var']\", "
    f'{TRAINS}, fixed={{"momentum": 0.9, "eps": 1e-05}}',
    "TimeConstant": f'{NF}, {TRAINS}, fixed={{"momentum": 0.9, "eps": 1e-05}}',
    "IgnoresOptions": f"{NF}, {TRAINS}",
    "OptionalConfig": CONFIGURED.format("config", f"rngs=False, {TRAINS}"),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_lines(name: str):
    """Words for the mode, configuration objects, options in a dict, JAX arrays alone."""
    found = recognize_module(f"file.py:{name}", getattr(unusual_layers, name))
    assert found.line == f"Implementation.nnx({name}, {UNUSUAL[name]})"


def test_random_streams_are_further_state():
    """They are leaves like a counter, and are suggested with it."""
    found = recognize_module("file.py:KeepsStreams", unusual_layers.KeepsStreams)
    assert found.suggestions == ('extra=("seen", "noise.noise.count", "noise.noise.key")',)


def test_a_suggestion_can_be_judged():
    """A cumulative average is none that is divided by 1 − mᵗ, as m would be 1."""
    found = recognize_module("file.py:Cumulative", unusual_layers.Cumulative)
    assert found.suggestions == ('count="batches"',)

    declared = frozenset({Deviation.ZERO_DEBIASED_STATISTICS})
    with pytest.raises(AdapterError, match=r"fixed momentum of 1 .* up to 0\.99"):
        Implementation.nnx(unusual_layers.Cumulative, fixed={"momentum": 1.0}, deviations=declared)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("OfEnum", 'flag="phase", flag_values='),
        ("StandardDeviation", r"running_std is not a variance.*Implementation\(name=…, build=…\)"),
        ("StackedColumns", r"in one array, stats, of shape \(D, 2\).*read and write"),
        ("Plain", r"f\(x, gamma, beta, mean, var, training, momentum, eps\)"),
        ("make_pair", r"returned a tuple.*f\(x, gamma, beta"),
    ],
)
def test_unusual_refusals(name: str, words: str):
    """What cannot be judged as it is has a message with the next step."""
    with pytest.raises(AdapterError, match=words):
        as_recognized(f"file.py:{name}", getattr(unusual_layers, name))


@pytest.mark.parametrize(
    ("name", "words"), [("TwoInside", "two ways"), ("Warmup", "warmup_policy")]
)
def test_unseen_refusals(name: str, words: str):
    """What cannot be decided is refused."""
    with pytest.raises(AdapterError, match=words):
        recognize_module(f"file.py:{name}", getattr(unseen_layers, name))


def test_unseen_function():
    """A pure function is read by its parameters."""
    recognition = as_recognized("file.py:pure", unseen_layers.pure).recognition
    assert recognition is not None
    assert 'running_mean="moving_mean", running_var="moving_var"' in recognition.line


@pytest.mark.parametrize("name", LINES)
def test_lines(name: str):
    """Names, flags, layouts, shapes and what is absent are found; nothing else is said."""
    found = recognize(name)
    arguments = f", {LINES[name]}" if LINES[name] else ""
    assert found.line == f"Implementation.nnx({name}{arguments})"
    assert found.suggestions == SUGGESTIONS.get(name, ())


def test_an_argument_is_believed_although_an_attribute_overrides_it():
    """A caller who passes it means it; the reason says what decides instead."""
    reasons = " ".join(recognize("Overriding").reasons)
    assert "by its name, although the attribute of that name decides" in reasons
    assert "by its name and effect" in " ".join(recognize("Overridden").reasons)


@pytest.mark.parametrize("name", ["Tracking", "Remembering"])
def test_an_argument_is_believed_that_changes_a_part_of_what_it_should(name: str):
    """Rather than an attribute without a known name that seems to change all of it."""
    found = as_recognized(f"file.py:{name}", getattr(misled_layers, name)).recognition
    assert 'flag="training", flag_means="training"' in found.line
    assert any("by its name and a part of its effect" in each for each in found.reasons)


@pytest.mark.parametrize("name", SUGGESTIONS)
def test_suggestions(name: str):
    """Conventions and further state are not assumed: they are arguments to add."""
    assert recognize(name).suggestions == SUGGESTIONS[name]


def test_names_win_over_effects():
    """A flag that does the opposite of its name is the layer's fault, and is reported."""
    found = recognize("WrongNames")
    assert found.kind == "seed-shaped nnx.Module"
    assert any("although its effect is the opposite" in reason for reason in found.reasons)
    reasons = recognize("IgnoresFlag").reasons
    assert any("although no effect of it was seen" in reason for reason in reasons)


def test_reasons():
    """The explanation has a sentence for each conclusion."""
    reasons = recognize("Fixed").reasons
    assert "It is built as cls(dim=3)." in reasons
    assert "No argument is momentum: calls show 0.997, so 0.997 is fixed." in reasons
    assert "gamma is gamma, by its name." in reasons
    opaque = recognize("Opaque").reasons
    assert "running_var is s, by how the output responds to it." in opaque
    assert "The mode is chosen by the call's argument live, by its effect." in opaque


@pytest.mark.parametrize("name", ["Unknown", "Unused"])
def test_unknown_arguments(name: str):
    """An argument whose meaning nothing shows is named, with the line that gives it a value."""
    with pytest.raises(AdapterError, match="demands policy") as raised:
        recognize(name)
    assert f'Implementation.nnx({name}, arguments={{"policy": …}})' in str(raised.value)


def test_counters():
    """A counter on which the averages depend is named as the count, with the convention."""
    found = recognize_module("impl:DebiasedBatchNorm", DebiasedBatchNorm)
    assert found.suggestions == (
        "deviations={Deviation.ZERO_DEBIASED_STATISTICS}",
        'count="count"',
    )


@pytest.mark.parametrize(
    ("variant", "declared"),
    [
        ("bfloat16-statistics-declared", 'statistics_in("bfloat16")'),
        ("float16-statistics-declared", 'statistics_in("float16")'),
        ("bfloat16-parameters-declared", 'parameters_in("bfloat16")'),
        ("float16-output-declared", 'output_in("float16")'),
    ],
)
def test_other_dtypes(variant: str, declared: str):
    """Dtypes of arrays and of y that are not float32 are declarations to add."""
    made = VARIANTS[variant].construction
    assert made is not None
    found = recognize_module("impl:Norm", made.module)
    assert found.suggestions == (f"deviations={{Deviation.{declared}}}",)


def test_ambiguity():
    """Two layers inside, both of which matter, are two readings; both lines are shown."""
    with pytest.raises(AdapterError, match="may be read in two ways") as raised:
        recognize("Stacked")
    for own in ("one", "two"):
        arrays = f'gamma="{own}.scale", beta="{own}.bias", running_mean="{own}.mean"'
        line = f'Implementation.nnx(Stacked, {arrays}, running_var="{own}.var", wider=Wider(ndim'
        assert line in str(raised.value)


def test_unused_modules_are_no_second_reading():
    """Of two layers inside, the one that the output depends on is meant."""
    assert 'gamma="one.scale"' in recognize("OneOfTwo").line


def test_nothing_works():
    """A module that cannot be called is refused, with what was tried."""
    with pytest.raises(AdapterError, match="no call of it works") as raised:
        recognize("Uncallable")
    assert "RuntimeError: never" in str(raised.value)


def test_a_wrong_axis_is_named():
    """A layer that only square batches fit is refused, with the axis of its statistics."""
    with pytest.raises(AdapterError, match=r"of shape \(3, 3\) alone") as raised:
        recognize("OverFeatures")
    assert "mean follows the mean over the features, axis 1" in str(raised.value)
    assert "there is no evaluation mode" in str(raised.value)


def test_missing_width():
    """A layer that takes its width from the first input is refused, with what to write."""
    with pytest.raises(AdapterError, match="takes no number of features"):
        recognize("Lazy")


def test_recognition_is_reproducible():
    """The same class is read alike, whatever was read before."""
    first = recognize("TorchLike")
    recognize("Opaque")
    assert recognize("TorchLike") == first
