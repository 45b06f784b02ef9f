"""Diagnose one implementation, in a process of its own: JSON in, JSON out.

Standard input: {"implementation": name, "violated": [ids], "judged": [ids], "strictly": bool}.
Standard output: the diagnosis, on the last line.
"""

from __future__ import annotations

import json
import sys
import warnings


def main() -> None:
    """Read the question, print the answer."""
    from conformance.engine.jax_runtime import remember_compilations  # noqa: PLC0415  before jax

    warnings.simplefilter("ignore")  # the layer's warnings are not the answer
    remember_compilations()
    from conformance.adapters.resolve import resolve  # noqa: PLC0415
    from conformance.diagnosis import diagnose  # noqa: PLC0415

    asked = json.load(sys.stdin)
    implementation = resolve(asked["implementation"]).read(strictly=asked["strictly"])
    found = diagnose(implementation, asked["violated"], judged=asked["judged"])
    print(f"\n{json.dumps(found.to_json())}")


if __name__ == "__main__":
    main()
