"""Calls that raise what others would take for their own."""

import pytest

from support.numpy_norm import NumpyNorm, implementation


def raising(error):
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


interrupt = raising(KeyboardInterrupt())
leave = raising(SystemExit(0))
generator_exit = raising(GeneratorExit())
base = raising(_Base("neither fish nor fowl"))
mute = raising(_Mute())
skip = raising(pytest.skip.Exception("nothing to see here"))
end = raising(pytest.exit.Exception("over", returncode=0))
markup = raising(ValueError("[red]boo[/] \x1b]0;title\x07 <b>&\x00 \udcff"))
