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
    Requirement(
        id="BN-GRAD-10",
        statement=(
            "jax.jvp moves y along tangents of gamma, beta and x as their derivatives say, in both "
            "modes."
        ),
        formula="ẏ = γ̇·z + β̇ + γ·r·(t − mean(t) − z·mean(z·t)); or γ̇·z + β̇ + γ·r·t",
        level=Level.SHOULD,
        needs=Capability.FORWARD_MODE,
        why="Sensitivities, Gauss-Newton products and Jacobians of few inputs take forward mode.",
        mistakes=(
            "a custom_jvp rule with the statistics as constants",
            "a custom_jvp rule that drops the tangent of gamma",
        ),
        grounds="left open: the problem names no derivatives beyond the first",
        source="jax.jvp; the chain rule through μ and v",
        transforms=("jax.jit", "jax.jvp", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-GRAD-11",
        statement=(
            "jax.linearize returns the linear map of a call, which may be applied to several "
            "tangents, in both modes."
        ),
        formula="f_lin(γ̇, β̇, t) = ẏ for each tangent",
        level=Level.SHOULD,
        needs=Capability.FORWARD_MODE,
        why="Iterative solvers apply one linear map many times.",
        mistakes=("residuals of another call", "a rule that is not linear in the tangent"),
        grounds="left open: the problem names no derivatives beyond the first",
        source="jax.linearize: jax.jvp, whose part without tangents is done once",
        transforms=("jax.jit", "jax.linearize", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-GRAD-12",
        statement=(
            "Gradients of gradients are right in both modes: of Σ t·dx, dx that of Σ w·y, with "
            "respect to gamma, x (the formula) and w."
        ),
        formula="−γr²·(mean(zt)·Pw + mean(zw)·Pt + z·mean(w·Pt)), Pa = a−mean(a)−z·mean(za)",
        level=Level.SHOULD,
        needs=Capability.SECOND,
        why="Gradient penalties and Hessian-vector products differentiate the backward pass.",
        mistakes=(
            "a backward pass that treats its residuals as constants",
            "a backward pass that JAX cannot differentiate",
        ),
        grounds="left open: the problem names no derivatives beyond the first",
        source="Gulrajani et al. 2017, arXiv:1704.00028: gradient penalties",
        transforms=("jax.jit", "jax.vjp", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-GRAD-13",
        statement="Gradients may be differentiated in forward mode, too: forward over reverse.",
        formula="as for BN-GRAD-12, along t",
        level=Level.SHOULD,
        needs=Capability.FORWARD_OVER_REVERSE,
        why="It is the cheaper way to a Hessian-vector product.",
        mistakes=("a derivative rule of the backward pass that is wrong in forward mode",),
        grounds="left open: the problem names no derivatives beyond the first",
        source="the JAX Autodiff Cookbook: Hessian-vector products by forward over reverse",
        transforms=("jax.jit", "jax.vjp", "jax.jvp", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-GRAD-14",
        statement="jax.jvp may be refused.",
        formula="Σ w·(J t) = Σ (Jᵀ w)·t, where it is not",
        level=Level.MAY,
        needs=Capability.TRANSFORMS_GRAD,
        why="A jax.custom_vjp has no forward mode; whether one is there decides what can be used.",
        grounds="left open: the problem names no derivatives beyond the first",
        source="JAX: custom derivative rules",
        transforms=("jax.jvp", "nnx.split and nnx.merge"),
    ),
    Requirement(
        id="BN-GRAD-15",
        statement="Second derivatives may be refused, in either order of the modes.",
        formula="H t, by reverse over reverse and by forward over reverse",
        level=Level.MAY,
        needs=Capability.TRANSFORMS_GRAD,
        why="A backward pass written by hand may be the end of what JAX can differentiate.",
        grounds="left open: the problem names no derivatives beyond the first",
        source="JAX: custom derivative rules",
        transforms=("jax.vjp", "jax.jvp", "nnx.split and nnx.merge"),
    ),
)
