"""Takes three arguments, and is no forward function: there are no modes and no averages."""


def standardize(x, scale, shift):
    return scale * (x - x.mean(axis=0)) / (x.var(axis=0) + 1e-5) ** 0.5 + shift
