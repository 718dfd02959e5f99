"""A mail world on loopback for tests: the package `mapagent_sandbox` by its other name."""

try:
    from mapagent_sandbox import (
        EXAMPLE_WORLD,
        Authentication,
        Mail,
        PolicyFetch,
        Sandbox,
        Session,
        WorldError,
    )
except ModuleNotFoundError as _error:
    if _error.name != "mapagent_sandbox":
        raise
    raise ModuleNotFoundError(
        "the sandbox is a package of its own: in a clone of the repository of mapagent, pip install ./map-sandbox/python",
        name="mapagent_sandbox",
    ) from None

__all__ = ["EXAMPLE_WORLD", "Authentication", "Mail", "PolicyFetch", "Sandbox", "Session", "WorldError"]
