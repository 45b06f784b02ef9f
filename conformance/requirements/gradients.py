"""The backward pass, and what an optimizer step changes."""

from conformance.requirements.requirement import Capability, Level, Requirement

_PAPER = "Ioffe & Szegedy 2015, arXiv:1502.03167, section 3: the chain rule through μ and v"
_STATE = "flax NNX: nnx.grad differentiates nnx.Param and carries the other Variables out"

ROWS = (
    Requirement(
        id="BN-GRAD-1",
        statement="The gradient with respect to beta is the sum of the cotangents, in both modes.",
        formula="dβ = Σ w",
        needs=Capability.GRAD,
        why="beta is what the layer outputs at z = 0, and learns by this sum alone.",
        mistakes=("the mean instead of the sum", "the sum over features", "never written"),
        grounds="mathematics: the derivative of gamma·x̂ + beta",
        source=_PAPER,
        transforms=("jax.jit", "jax.vjp", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-GRAD-2",
        statement="The gradient with respect to gamma is Σ w·z, in both modes.",
        formula="dγ = Σ w·z",
        needs=Capability.GRAD,
        why="gamma multiplies the normalised input, not the input.",
        mistakes=("x instead of z", "x−μ instead of z", "the mean instead of the sum"),
        grounds="mathematics: the derivative of gamma·x̂ + beta",
        source=_PAPER,
        transforms=("jax.jit", "jax.vjp", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-GRAD-3",
        statement=(
            "In training the gradient with respect to x goes through the mean and the variance "
            "of the batch."
        ),
        formula="dx = γ·r·(w − mean(w) − z·mean(w·z)), r = 1/√(v+ε)",
        needs=Capability.GRAD,
        why="Taking the statistics for constants trains another network, and may diverge.",
        mistakes=(
            "a projection term missing or of the wrong sign",
            "gamma missing",
            "N−1 for N",
            "√(v+ε) for its inverse",
            "residuals kept in half precision",
        ),
        grounds="mathematics: the chain rule, through the statistics of the batch",
        source=_PAPER,
        transforms=("jax.jit", "jax.vjp", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-GRAD-4",
        statement="In evaluation the gradient with respect to x only scales: statistics are given.",
        formula="dx = w·γ/√(rv+ε)",
        needs=Capability.GRAD,
        why="Fine-tuning with frozen statistics, saliency maps and adversarial examples need it.",
        mistakes=("the backward pass of training", "statistics of the batch in the backward pass"),
        grounds="mathematics: the derivative of a linear function of x",
        source="Ioffe & Szegedy 2015, arXiv:1502.03167, Algorithm 2: a linear transform",
        transforms=("jax.jit", "jax.vjp", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-GRAD-5",
        statement=(
            "The gradients are linear in the cotangent; in training those of x sum to zero over "
            "the batch; on constant features they are finite."
        ),
        formula="dx(w + w*) = dx(w) + dx(w*); dx(c·w) = c·dx(w); Σ dx = 0",
        needs=Capability.GRAD,
        why="A derivative is a linear map, and y does not change when x is shifted.",
        mistakes=("gradients clipped", "cotangents in half precision", "0·∞ at variance zero"),
        grounds="mathematics: a derivative is a linear map, and finite where ε > 0",
        source=_PAPER,
        transforms=("jax.jit", "jax.vjp", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-GRAD-6",
        statement=(
            "nnx.value_and_grad returns the gradients of gamma and beta and nothing else, and the "
            "running statistics leave it updated once."
        ),
        formula="grads = {gamma: Σ w·z, beta: Σ w}; rm' = m·rm + (1−m)·μ",
        needs=Capability.NNX,
        why="This call is the training step; an update lost or doubled in it goes unnoticed.",
        mistakes=("statistics that are Params", "the update repeated", "the update lost"),
        grounds=(
            "the problem: gamma and beta are trainable, the statistics are not, and are "
            "updated once"
        ),
        source=_STATE,
        transforms=("nnx.jit", "nnx.grad"),
    ),
    Requirement(
        id="BN-GRAD-7",
        statement=(
            "A step of an optimiser with weight decay on all nnx.Param moves gamma and beta as it "
            "says, and the running statistics only by their average."
        ),
        formula="p' = p − η·(dp + λp), p ∈ {γ, β}; rm' = m·rm + (1−m)·μ; rv' = m·rv + (1−m)·v",
        needs=Capability.NNX,
        why="Weight decay pulls whatever is a Param to zero, a variance as well.",
        mistakes=("statistics that are Params", "gamma not a Param", "gradients stopped"),
        grounds="the problem: the optimiser updates gamma and beta, the layer the statistics",
        source="flax NNX: nnx.Optimizer(..., wrt=nnx.Param)",
        transforms=("nnx.jit", "nnx.grad", "nnx.Optimizer"),
    ),
    Requirement(
        id="BN-GRAD-8",
        statement="The updated running statistics carry no gradient back to x.",
        formula="∂(rm', rv')/∂x = 0",
        level=Level.SHOULD,
        needs=Capability.GRAD,
        why="A loss of a later evaluation would reach back through every batch before it.",
        mistakes=("no stop_gradient around the batch statistics",),
        grounds=(
            "left open: the problem does not say whether the new running values can be "
            "differentiated"
        ),
        source="flax NNX: nnx.BatchNorm stops the gradient of what it stores",
        transforms=("jax.jit", "jax.vjp", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-GRAD-9",
        statement=(
            "Each backward pass uses the residuals of its own forward pass: forward, forward, "
            "backward of the first; and the same backward pass twice."
        ),
        formula="dx(w; x) is the same whatever was called between",
        needs=Capability.GRAD,
        why="Layers are applied several times before anything is pulled back.",
        mistakes=("residuals kept on the layer", "residuals freed or added up by the first pass"),
        grounds="mathematics: the derivative at a point does not depend on other calls",
        source="jax.vjp: the function that it returns may be called later, and more than once",
        transforms=("jax.vjp", "nnx.split and nnx.merge"),
    ),
)
