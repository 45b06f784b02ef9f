"""Finds out how a class is constructed: which argument is the width, which are further ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from conformance.adapters.config_objects import gather_configs
from conformance.adapters.errors import AdapterError, wrap_errors
from conformance.adapters.recognition.names import FURTHER
from conformance.adapters.recognition.signature import Parameter, Signature, read_signature
from conformance.adapters.synonyms import ARGUMENT_NAMES, argument_role_of, normalize

WIDTH, OTHER_WIDTH = 3, 5
MOMENTUM, EPS = 0.75, 1e-3

GUESS = 0.5
"""A value that is possible for a momentum as well as for an ε."""

_QUOTED = re.compile(r"'(\w+)'")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One way to construct a module.

    Attributes:
        module: The class, or another callable that returns a module.
        keywords: Argument names by ``features``, ``momentum``, ``eps`` and ``rngs``.
        arguments: Further arguments.
        guessed: Names in ``arguments`` with a value for want of a better one.
    """

    module: Callable[..., Any]
    keywords: Mapping[str, str]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    guessed: tuple[str, ...] = ()

    def construct(self, features: int = WIDTH, further: Mapping[str, Any] | None = None) -> Any:
        """Return a new module.

        Args:
            features: D.
            further: Arguments that replace or complete others.
        """
        from flax import nnx  # noqa: PLC0415  imports jax

        values = {"features": features, "momentum": MOMENTUM, "eps": EPS, "rngs": nnx.Rngs(0)}
        named = {own: values[role] for role, own in self.keywords.items()}
        given = {**named, **self.arguments, **(further or {})}
        module = self.module(**gather_configs(self.module, given))
        if not isinstance(module, nnx.Module):
            raise TypeError(f"it is a {type(module).__name__}, not an nnx.Module")
        return module

    def list_unusual(self) -> dict[str, str]:
        """Return the argument names that are not those of ``Implementation.nnx``."""
        usual = {"features": "d", "momentum": "momentum", "eps": "eps", "rngs": "rngs"}
        return {role: own for role, own in self.keywords.items() if own != usual[role]}

    def __str__(self) -> str:
        values = {"features": "3", "momentum": "0.9", "eps": "1e-05", "rngs": "…"}
        given = [f"{own}={values[role]}" for role, own in self.keywords.items()]
        given += [f"{own}={value!r}" for own, value in self.arguments.items()]
        return f"cls({', '.join(given)})"


def propose_plans(name: str, found: Callable[..., Any]) -> Iterator[Plan]:
    """Yield the ways to construct a module that names suggest; each constructs one.

    Args:
        name: What the user typed, for messages.
        found: The class, or another callable that returns a module.

    Raises:
        AdapterError: None works; the message says what was tried.
    """
    with wrap_errors(f"the signature of {name}", "cannot be read"):
        signature = read_signature(found)
    plans = list(_list_plans(found, signature))
    if not plans:
        taken = ", ".join(signature.parameters) or "nothing"
        msg = (
            f"{name} takes no number of features: its constructor takes {taken}. Say which it is: "
            f'Implementation.nnx({name.rpartition(":")[2]}, features="…"), and run that object. A '
            "layer that takes it from its first input needs a function of the number of features "
            "that returns the layer with its arrays."
        )
        raise AdapterError(msg)
    first: AdapterError | None = None
    works = False
    for plan in plans:
        try:
            repaired = _repair(name, plan, signature)
        except AdapterError as error:
            first = first or error
            continue
        works = True
        yield repaired
    if not works and first is not None:
        raise first


def _list_plans(found: Callable[..., Any], signature: Signature) -> Iterator[Plan]:
    keywords = _assign_roles(signature)
    taken = {*keywords.values()}
    own = [each for each in signature.parameters.values() if not each.inherited]
    options = {
        each.name: FURTHER[normalize(each.name)]
        for each in own
        if each.required and normalize(each.name) in FURTHER and each.name not in taken
    }
    unknown = [e.name for e in own if e.required and e.name not in {*taken, *options}]
    widths = [""] if "features" in keywords else unknown or _list_integers(own)
    for width, values in product(widths, product(*options.values())):
        guessed = tuple(each for each in unknown if each != width)
        further = dict(zip(options, values, strict=True)) | dict.fromkeys(guessed, GUESS)
        named = {"features": width, **keywords} if width else keywords
        yield Plan(module=found, keywords=named, arguments=further, guessed=guessed)


def _list_integers(parameters: list[Parameter]) -> list[str]:
    return [each.name for each in parameters if type(each.default) is int]


def _assign_roles(signature: Signature) -> dict[str, str]:
    """Return the argument of each role: the best known synonym, or what is left by elimination."""
    keywords: dict[str, str] = {}
    for role, known in ARGUMENT_NAMES.items():
        here = [
            each.name
            for each in signature.parameters.values()
            if argument_role_of(each.name) == role and _may_be(role, each.default)
        ]
        here.sort(
            key=lambda each: (signature.parameters[each].inherited, known.index(normalize(each)))
        )
        if here:
            keywords[role] = here[0]
    if "features" not in keywords and signature.is_open:
        return {"features": "d", "momentum": "momentum", "eps": "eps", "rngs": "rngs"} | keywords
    return keywords


def _may_be(role: str, default: object) -> bool:
    """Whether an argument with this default may have a role: a weight is from 0 to 1."""
    if role != "momentum" or isinstance(default, bool) or not isinstance(default, int | float):
        return True
    return 0 <= default <= 1


def _repair(name: str, plan: Plan, signature: Signature) -> Plan:
    """Return the plan that constructs a module, changed as the constructor's errors ask for.

    Names that are reached through ``**kwargs`` may not be accepted, or required after all.
    """
    failure: BaseException | None = None
    for _ in range(8):
        try:
            plan.construct()
        except (TypeError, KeyError) as error:
            failure = failure or error
            changed = _change(plan, signature, error)
            if changed is None:
                break
            plan = changed
        except Exception as error:  # noqa: BLE001  a constructor may raise anything
            failure = error
            break
        else:
            return plan
    known = {own for own in plan.keywords.values() if argument_role_of(own) is not None}
    known |= {*plan.arguments} - {*plan.guessed}
    missing = [
        each.name
        for each in signature.parameters.values()
        if each.required and not each.inherited and each.name not in known
    ]
    if missing:
        raise AdapterError(explain_missing(name, plan, missing))
    with wrap_errors(f"{name}, built as {plan},", "failed"):
        plan.construct()
    raise AssertionError(failure)  # pragma: no cover  the construction above raises


def explain_missing(name: str, plan: Plan, missing: list[str]) -> str:
    """Return the message for arguments that must be given and whose meaning is not known."""
    label = name.rpartition(":")[2]
    values = ", ".join(f'"{each}": …' for each in missing)
    known = ", ".join(f'{role}="{own}"' for role, own in plan.list_unusual().items())
    known = f"{known}, " if known else ""
    lacking = "" if "features" in plan.keywords else ", and no argument is known as the width"
    return (
        f"{name} cannot be built: its constructor demands {', '.join(missing)}, whose meaning the "
        f"name does not say{lacking}. Built as {plan}. Say what it is: "
        f"Implementation.nnx({label}, {known}arguments={{{values}}}), or "
        f'features="{missing[0]}" if that is the number of features, and run that object instead.'
    )


def _change(plan: Plan, signature: Signature, error: Exception) -> Plan | None:
    """Return the plan without an argument that is refused, or with one that is missed."""
    text = str(error)
    for own in _QUOTED.findall(text):
        role = next((role for role, name in plan.keywords.items() if name == own), None)
        refused = "unexpected" in text or "multiple values" in text
        if refused and role and signature.parameters.get(own, Parameter(own, 0, True)).inherited:
            left = {key: name for key, name in plan.keywords.items() if key != role}
            return replace(plan, keywords=left)
        if refused or own in {*plan.arguments, *plan.keywords.values()}:
            continue
        if (role := argument_role_of(own)) is not None:
            return replace(plan, keywords={**plan.keywords, role: own})
        if normalize(own) in FURTHER:
            return replace(plan, arguments={**plan.arguments, own: FURTHER[normalize(own)][0]})
    return None
