"""A worker process for each implementation, so that it can break nothing else.

``supervisor`` starts, asks and replaces the process that ``worker_process`` controls and in
which ``worker`` runs; ``messages`` defines what they exchange, and ``heartbeat`` how a worker
reports progress. ``channel`` carries messages, ``limits`` says what a worker may use,
and ``global_state`` which process-wide state an implementation has changed.
"""
