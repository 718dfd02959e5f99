"""The hand-written types are those of the module."""

from __future__ import annotations

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


def run(*arguments: str) -> None:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_types_are_those_of_the_module() -> None:
    run("mypy.stubtest", "mapagent_sandbox", "--mypy-config-file", "pyproject.toml")


def test_the_tests_and_the_plugin_are_typed() -> None:
    run("mypy", "tests", "python/mapagent_sandbox")
