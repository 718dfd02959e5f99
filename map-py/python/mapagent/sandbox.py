"""A mail world on loopback for tests: the package `mapagent_sandbox` by its other name."""

try:
    import mapagent_sandbox as _sandbox
    from mapagent_sandbox import *  # noqa: F403
except ModuleNotFoundError as error:
    if error.name != "mapagent_sandbox":
        raise
    raise ModuleNotFoundError(
        "the sandbox is a package of its own: pip install mapagent[sandbox]", name="mapagent_sandbox"
    ) from None

__all__ = _sandbox.__all__
