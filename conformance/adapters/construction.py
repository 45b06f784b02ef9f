"""How layers of an ``nnx.Module`` class are constructed, with the class's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conformance.adapters.calling import DEFAULT, Calling
from conformance.adapters.domain import Options, Wider
from conformance.adapters.protocols import Config, Layer

if TYPE_CHECKING:
    from conformance.adapters.wide import WideLayer


@dataclass(frozen=True, slots=True, kw_only=True)
class Construction:
    """The callable that makes a module, and the module's names for what the suite uses.

    Attributes:
        module: The class, or another callable that returns a module.
        keywords: Constructor arguments, by ``features``, ``momentum``, ``eps`` and ``rngs``; those
            that the class does not have are left out.
        attributes: Attributes with the arrays, by the names in ``ARRAYS``, and by ``COUNT`` for a
            layer that counts its updates.
        arguments: Further constructor arguments.
        calling: How the module is called.
        extra: The attributes with further state.
    """

    module: Callable[..., Any]
    keywords: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    calling: Calling = DEFAULT
    extra: tuple[str, ...] = ()

    def build(self, config: Config, further: Mapping[str, Any] | None = None) -> Layer:
        """Construct a layer.

        Args:
            config: Features, momentum, eps and seed.
            further: Arguments that replace or complete ``arguments``.
        """
        from conformance.adapters.nnx import build_layer  # noqa: PLC0415  imports jax

        arguments = {**self.arguments, **(further or {})}
        return build_layer(
            self.module,
            config,
            self.keywords,
            self.attributes,
            arguments,
            self.calling,
            self.extra,
        )

    def build_wide(self, wider: Wider, config: Config, options: Options) -> WideLayer:
        """Construct a layer of the extended domain with the given options."""
        from conformance.adapters.wide import split_layer  # noqa: PLC0415  imports jax

        return split_layer(self.build(config, wider.arguments(options)), wider.mask)
