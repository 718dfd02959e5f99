"""The wheel and the source distribution, built anew and looked into."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tarfile
import zipfile

import pytest

HERE = pathlib.Path(__file__).parent.parent


def maturin(*arguments: str) -> None:
    command = [sys.executable, "-m", "maturin", *arguments, "--manifest-path", str(HERE / "Cargo.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("wheel")
    maturin("build", "--locked", "--interpreter", sys.executable, "--out", str(folder))
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_one_wheel_is_for_all_pythons_from_3_10(wheel: pathlib.Path) -> None:
    assert "-cp310-abi3-" in wheel.name


def test_the_wheel_has_the_types_and_the_plugin(wheel: pathlib.Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entries,) = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
        plugin = archive.read(entries).decode()
    assert {"mapagent_sandbox/py.typed", "mapagent_sandbox/_native.pyi"} <= set(names)
    for licence in ("LICENSE-APACHE", "LICENSE-MIT"):
        assert [name for name in names if name.endswith(f".dist-info/licenses/{licence}")]
    # It would name the folders of this machine.
    assert not [name for name in names if "sbom" in name]
    assert "[pytest11]" in plugin
    assert "mapagent_sandbox=mapagent_sandbox.pytest_plugin" in plugin.replace(" ", "")


def test_the_source_distribution_has_the_crate_and_what_it_names(tmp_path: pathlib.Path) -> None:
    maturin("sdist", "--out", str(tmp_path))
    (source,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = [name.split("/", 1)[1] for name in archive.getnames()]
    assert "map-sandbox/src/lib.rs" in names
    assert "map-sandbox/src/example.world" in names
    # map-core is there because the command of the crate names it, and cargo looks at what is named; the wheel lacks it.
    assert not [name for name in names if name.startswith(("map-ffi/", "map-py/"))]
