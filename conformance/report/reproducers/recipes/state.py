"""STATE: the contract between NNX and a layer."""

from __future__ import annotations

from dataclasses import replace

from conformance.adapters.protocols import ARRAYS, PARAMETERS, STATISTICS
from conformance.report.reproducers.recipes.registry import recipe
from conformance.report.reproducers.scene import build, handed, kept_names, start, train
from conformance.report.reproducers.script import Script
from conformance.strategies.case import Case


def holder(script: Script, name: str, layer: str = "layer") -> str:
    """Return the text of the attribute that holds one of the four arrays."""
    return f"{layer}.{script.blueprint.attributes[name]}"


@recipe("BN-STATE-1")
def parameters(script: Script, case: Case) -> None:
    build(script, case.config)
    for name in PARAMETERS:
        script.holds(name, f"isinstance({holder(script, name)}, nnx.Param)")


@recipe("BN-STATE-2")
def variables(script: Script, case: Case) -> None:
    build(script, case.config)
    for name in STATISTICS:
        own = holder(script, name)
        fact = f"isinstance({own}, nnx.Variable) and not isinstance({own}, nnx.Param)"
        script.holds(name, fact)


@recipe("BN-STATE-3")
def split(script: Script, case: Case, trained: int) -> None:
    live = start(script, case)
    if trained:
        train(live, handed(script, case), case.x)
    for quantity, filters, names in (
        ("leaves of nnx.split", "", ARRAYS),
        ("leaves selected by nnx.Param", ", nnx.Param", PARAMETERS),
        ("leaves that are not nnx.Param", ", nnx.Not(nnx.Param)", STATISTICS),
    ):
        listed = ", ".join(f'"{name}"' for name in names)
        script.same(quantity, f"sorted(leaves(layer{filters}))", f"paths_of(layer, {listed})")


@recipe("BN-STATE-4")
def hyperparameters(script: Script, case: Case, other: int) -> None:
    build(script, case.config)
    build(script, replace(case.config, momentum=other / 100, eps=other * 1e-4), name="changed")
    script.same("paths of the leaves", "sorted(leaves(changed))", "sorted(leaves(layer))")
    name = script.quantity.removeprefix("shape of ").removeprefix("dtype of ")
    at = script.let("path", tuple(int(p) if p.isdigit() else p for p in name.split("/")))
    script.identical(name, f"plain(leaves(changed).get({at}))", f"plain(leaves(layer).get({at}))")


def _anatomy(script: Script) -> dict[str, str]:
    """Return the text of everything but values that a call must preserve, by its name."""
    described = {"leaves of nnx.split": "sorted(leaves(layer))"}
    for name in ARRAYS:
        own = holder(script, name)
        described |= {
            f"type of {name}": f"type({own})",
            f"shape of {name}": f'np.shape(held(layer, "{name}"))',
            f"dtype of {name}": f'str(held(layer, "{name}").dtype)',
            f"the Variable object of {name}": own,
            f"metadata of {name}": f"repr({own}.get_metadata())",
        }
    return described


@recipe("BN-STATE-5")
def one_call(script: Script, case: Case, evaluate: int) -> None:
    start(script, case)
    looked_at = _anatomy(script).get(script.quantity)
    if looked_at is not None:
        script(f"noted = {looked_at}")
    script(f"call(layer, {handed(script, case)}, {bool(evaluate)})")
    if looked_at is not None and script.quantity.startswith("the Variable object"):
        script.holds(script.quantity, f"{looked_at} is noted")
    elif looked_at is not None:
        script.same(script.quantity, looked_at, "noted")
    script.kept("before", "layer", kept_names(evaluate))


@recipe("BN-STATE-6")
def split_after_training(script: Script, case: Case) -> None:
    live = start(script, case)
    train(live, handed(script, case), case.x)
    for name in STATISTICS:
        path = f'path_of(layer, "{name}")'
        script.holds(f"leaf {name}", f"{path} in leaves(layer)")
        got = f"np.asarray(leaves(layer)[{path}])"
        expected = f'{live.training("x", "before")}["{name}"]'
        script.within(f"{name} in nnx.split", got, expected)


@recipe("BN-STATE-7")
def two_instances(script: Script, case: Case) -> None:
    build(script, case.config)
    build(script, case.config, name="other")
    mine = ", ".join(holder(script, name) for name in ARRAYS)
    for name in ARRAYS:
        fact = f"all({holder(script, name, 'other')} is not mine for mine in ({mine}))"
        script.holds(f"the holder of {name}", fact)
    distinct = "len({buffer(leaf) for leaf in leaves(layer).values()})"
    script.same("distinct buffers of the leaves", distinct, "len(leaves(layer))")
    script("before = read(other)", f"train(layer, {handed(script, case)})")
    script.kept("before", "other", ARRAYS)


@recipe("BN-STATE-8")
def graph_definition(script: Script, case: Case, evaluate: int) -> None:
    start(script, case)
    script("graphdef = nnx.graphdef(layer)")
    script(f"call(layer, {handed(script, case)}, {bool(evaluate)})")
    script.holds("the graph definition", "nnx.graphdef(layer) == graphdef")
