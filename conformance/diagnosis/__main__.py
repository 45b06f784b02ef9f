"""Diagnose one implementation in a separate process: JSON in, JSON out.

Standard input: {"implementation": name, "strictly": bool}.
Standard output: the diagnosis, on the last line.
"""

from __future__ import annotations

import json
import sys
import warnings


def main() -> None:
    """Read the question and print the diagnosis."""
    from conformance.engine.jax_runtime import remember_compilations  # noqa: PLC0415  before jax

    warnings.simplefilter("ignore")  # the layer's warnings are not the answer
    remember_compilations()
    from conformance.adapters.resolve import resolve  # noqa: PLC0415
    from conformance.diagnosis import diagnose  # noqa: PLC0415

    question = json.load(sys.stdin)
    implementation = resolve(question["implementation"]).read(strictly=question["strictly"])
    found = diagnose(implementation)
    print(f"\n{json.dumps(found.to_json())}")


if __name__ == "__main__":
    main()
