"""The wheel and the source distribution, as a user installs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

LICENCES = ("LICENSE-APACHE", "LICENSE-MIT")

# Such an interpreter has no stable ABI: a wheel is for its own version, and the extension is named for it.
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
THIS_PYTHON = f"cp{sys.version_info.major}{sys.version_info.minor}"

# The appendix's A.3, which needs no network: the package imports, and its core answers.
PROGRAM = """
import mapagent
assert mapagent.send("cxw@apple.com", "407184933qq.com", "test", "test content.") is mapagent.RE_INVALID_FORMAT
print(mapagent.__version__)
"""


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def maturin(*arguments: str | Path, cwd: Path) -> None:
    run(Path(sys.executable).with_name("maturin"), *arguments, cwd=cwd)


@pytest.fixture(scope="module")
def wheel() -> Path:
    """The wheel that scripts/python-env built."""
    (wheel,) = (CHECKOUT / ".venv" / "wheels" / "mapagent").glob("*.whl")
    return wheel


def test_the_tag(wheel: Path) -> None:
    name, version, python, abi, platform = wheel.stem.split("-")
    assert name == "mapagent"
    assert (python, abi) == ((THIS_PYTHON, f"{THIS_PYTHON}t") if FREE_THREADED else ("cp310", "abi3"))
    assert platform.split("_")[0] in {"linux", "manylinux", "musllinux", "macosx", "win"}
    assert version in wheel.name


def test_what_the_wheel_holds(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("/METADATA"))
        (entry_points,) = (archive.read(name).decode() for name in names if name.endswith("/entry_points.txt"))
    assert {"mapagent/__init__.py", "mapagent/__main__.py", "mapagent/_native.pyi", "mapagent/py.typed"} <= set(names)
    extension = sysconfig.get_config_var("EXT_SUFFIX") if FREE_THREADED else ".abi3.so"
    assert f"mapagent/_native{extension}" in names or sys.platform == "win32"
    assert not [name for name in names if name.startswith(("tests/", "mapagent/tests/"))]
    assert "Requires-Python: >=3.10" in metadata
    # Nothing of ours is on the index, so that whatever came from there by its name would be a stranger's.
    assert "Requires-Dist:" not in metadata
    assert "mapagent=mapagent.__main__:main" in entry_points.replace(" ", "")


def test_the_wheel_has_the_licences_and_nothing_of_this_machine(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        about = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" in name}
    for licence in LICENCES:
        (text,) = (about[name] for name in about if name.endswith(f".dist-info/licenses/{licence}"))
        assert text == (CHECKOUT / licence).read_bytes()
    assert not [name for name, text in about.items() if os.fsencode(CHECKOUT) in text]


def pythons() -> list[str]:
    found = [f"python3.{minor}" for minor in range(10, 20)]
    return [name for name in found if shutil.which(name) and works(name)]


def works(name: str) -> bool:
    # A version manager leaves names behind that lead nowhere.
    return subprocess.run([name, "-c", ""], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(FREE_THREADED, reason="there is no wheel for every free-threaded Python")
@pytest.mark.parametrize("name", pythons())
def test_one_wheel_for_every_python_of_this_machine(wheel: Path, tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    version = run(name, "-W", "error", "-c", PROGRAM, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert version.strip() in wheel.name


def test_the_source_distribution(tmp_path: Path) -> None:
    """Made, unpacked elsewhere by pip, built there without this checkout, and installed in a fresh environment."""
    maturin("sdist", "--manifest-path", CHECKOUT / "map-py" / "Cargo.toml", "--out", tmp_path, cwd=CHECKOUT)
    (sdist,) = tmp_path.glob("mapagent-*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "Cargo.lock", "map-core/src/lib.rs", "map-py/src/lib.rs", *LICENCES} <= names
    assert not [name for name in names if name.startswith(("map-ffi/", "map-sandbox/"))]

    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    # The same build cache as the checkout's, so that dependencies are not built again.
    build = {"CARGO_TARGET_DIR": str(CHECKOUT / "target"), "MATURIN_PEP517_ARGS": "--profile=dev"}
    run(python, "-m", "pip", "install", "--no-cache-dir", sdist, cwd=tmp_path, **build)
    version = run(python, "-W", "error", "-c", PROGRAM, cwd=tmp_path)
    assert version.strip() in sdist.name


def test_without_the_sandbox_its_name_says_how_to_get_it(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = "try:\n import mapagent.sandbox\nexcept ImportError as error:\n print(error)"
    # -S: no site-packages, so that the sandbox of this environment is out of sight.
    said = run(sys.executable, "-S", "-c", program, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert "pip install ./map-sandbox/python" in said
    assert (CHECKOUT / "map-sandbox" / "python" / "pyproject.toml").exists()
