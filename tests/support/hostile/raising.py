"""Calls that raise exceptions which the suite or pytest could take for their own."""

import pytest

from support.numpy_norm import NumpyNorm, implementation


def make_raising(error):
    """Return the implementation whose calls raise this."""

    class Raises(NumpyNorm):
        def __call__(self, x, use_running_average):
            raise error

    return implementation(Raises)


class _Mute(Exception):
    def __str__(self):
        raise RuntimeError


class _Base(BaseException):
    pass


interrupt = make_raising(KeyboardInterrupt())
leave = make_raising(SystemExit(0))
generator_exit = make_raising(GeneratorExit())
base = make_raising(_Base("neither fish nor fowl"))
mute = make_raising(_Mute())
skip = make_raising(pytest.skip.Exception("nothing to see here"))
end = make_raising(pytest.exit.Exception("over", returncode=0))
markup = make_raising(ValueError("[red]boo[/] \x1b]0;title\x07 <b>&\x00 \udcff"))
