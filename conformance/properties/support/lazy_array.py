"""An array that is fetched when it is first looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from conformance.numerics.sources import Deferred


class LazyArray(Deferred, NDArrayOperatorsMixin):
    """Acts as the NumPy array that a function returns.

    Args:
        make: Returns the array; it is called once.
    """

    __slots__ = ("_array", "_make")

    def __init__(self, make: Callable[[], np.ndarray[Any, Any]]) -> None:
        self._make: Callable[[], np.ndarray[Any, Any]] | None = make
        self._array: Any = None

    def numpy(self) -> np.ndarray[Any, Any]:
        """Return the array."""
        if self._make is not None:
            self._array, self._make = self._make(), None
        return self._array  # type: ignore[no-any-return]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.array(self.numpy(), dtype, copy=copy)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        found = [each.numpy() if isinstance(each, LazyArray) else each for each in inputs]
        return getattr(ufunc, method)(*found, **keywords)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        shape: tuple[int, ...] = self.numpy().shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the array."""
        dtype: np.dtype[Any] = self.numpy().dtype
        return dtype

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # NumPy would take a bfloat16 array by its interface, as bytes
            raise AttributeError(name)
        return getattr(self.numpy(), name)

    def __getitem__(self, index: Any) -> Any:
        return self.numpy()[index]

    def __len__(self) -> int:
        return len(self.numpy())

    def __iter__(self) -> Any:
        return iter(self.numpy())

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())
