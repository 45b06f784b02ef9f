"""The closed list of operations, by the module that defines each."""

from __future__ import annotations

_BY_MODULE = {
    "layer_calls": (
        "build",
        "forward",
        "put",
        "overwrite",
        "reread",
        "call",
        "call_live",
        "refuses",
        "read",
        "snapshot",
        "reread_snapshot",
        "write",
        "attributes",
        "restore",
        "begin_case",
        "seed_global_random",
    ),
    "transformed_calls": (
        "call_jitted",
        "call_jitted_live",
        "compile_anew",
        "call_program",
        "traces",
        "call_pure",
        "call_stacked",
        "train_lanes",
        "evaluate_lanes",
        "train_scanned",
        "differentiate_rematerialized",
        "train_twice",
    ),
    "pullbacks": (
        "prepare_call",
        "gradients",
        "pull_back",
        "run_forward",
        "run_backward",
        "gradient_through_statistics",
        "move_along",
        "move_linearly",
        "differentiate_gradient",
    ),
    "nnx_facts": (
        "describe_holders",
        "paths",
        "list_leaves",
        "read_leaves",
        "list_buffers",
        "list_assignments",
        "locate_initial",
        "keep_graph",
        "has_graph",
        "list_leaked_tracers",
        "build_abstractly",
        "call_abstractly",
    ),
    "nnx_copies": ("copy_by", "restore_through", "restore_checkpoint", "update_from"),
    "nnx_steps": (
        "set_mode",
        "train_and_evaluate_jitted",
        "train_donated",
        "differentiate_loss",
        "step",
        "step_of_two",
    ),
    "domain_calls": ("build_with", "set_arrays", "read_arrays", "run_program", "refuses_mask"),
    "adapter_facts": ("name_type", "list_lacking", "is_same", "list_read"),
    "characterizing_calls": (
        "call_traced",
        "push_forward",
        "differentiate_twice",
        "train_masked",
    ),
    "equations": ("trace_call", "trace_gradient", "trace_forward", "trace_program"),
    "name_trials": ("try_names",),
    "edit_trials": ("list_edits", "try_edits"),
    "stopped_gradients": ("stop_gradient", "unstop_gradient"),
    "growth": ("measure_growth",),
}

OPERATIONS = {name: module for module, names in _BY_MODULE.items() for name in names}
"""The module of ``conformance.adapters.operations`` that defines each operation, by its name."""

COPIES = ("nnx.clone", "copy.deepcopy", "pickle")
"""The ways of ``copy_by``."""

RESTORATIONS = (
    "nnx.split and nnx.merge",
    "a pure dictionary",
    "nnx.split by nnx.Param and nnx.merge",
    "a flat state",
    "the list of leaves",
)
"""The ways of ``restore_through``."""

MAY_BE_IMPOSSIBLE = frozenset({"restore_checkpoint", "run_program"})
"""Operations that the environment can prevent, such as a full disk or too few devices."""

ON_TRUST = frozenset(
    {
        "attributes",
        "traces",
        "describe_holders",
        "list_leaves",
        "list_buffers",
        "list_assignments",
        "locate_initial",
        "has_graph",
        "list_leaked_tracers",
        "build_abstractly",
        "call_abstractly",
        "name_type",
        "list_lacking",
        "is_same",
        "list_read",
        "trace_call",
        "trace_gradient",
        "trace_forward",
        "trace_program",
        "try_names",
        "list_edits",
        "try_edits",
        "stop_gradient",
        "unstop_gradient",
    }
)
"""Operations whose facts rest on the word of the process that imports the implementation."""
