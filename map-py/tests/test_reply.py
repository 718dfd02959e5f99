"""`Reply` is the core's list of replies."""

import mapagent
import pytest
from mapagent import Reply, _native


def test_python_and_the_core_agree() -> None:
    assert [(reply.name, reply.value) for reply in Reply] == _native.replies()


@pytest.mark.parametrize("reply", Reply)
def test_each_is_a_constant_of_the_module(reply: Reply) -> None:
    assert getattr(mapagent, reply.name) is reply
    assert reply.name in mapagent.__all__


def test_success_is_zero_and_prints_its_name() -> None:
    assert mapagent.RE_SUCCESS == 0
    assert str(Reply.RE_SUCCESS) == f"{Reply.RE_SUCCESS}" == "RE_SUCCESS"
    assert f"{Reply.RE_BADREPLY:>12}|{Reply.RE_BADREPLY:3d}" == " RE_BADREPLY|  6"
    assert "%d" % Reply.RE_BADREPLY == "6"


def test_the_version_is_the_package_s() -> None:
    from importlib.metadata import version

    assert mapagent.__version__ == version("mapagent")


def test_everything_public_is_there() -> None:
    for name in mapagent.__all__:
        assert hasattr(mapagent, name), name


def test_the_sandbox_by_its_other_name() -> None:
    import mapagent.sandbox
    import mapagent_sandbox

    assert mapagent.sandbox.Sandbox is mapagent_sandbox.Sandbox
    assert {*mapagent.sandbox.__all__, "__version__"} == set(mapagent_sandbox.__all__)
