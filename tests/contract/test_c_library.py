"""The installed C library: its symbols, its header, its ABI, its man page, and that it links.

`make lib` has to have been run, or is run here, which takes a while.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import pagemap
from tests.contract.test_docs import ROOT

HEADER = ROOT / "csrc" / "include" / "pagemap.h"
SAVED = ROOT / "tests" / "abi"
ABIDIFF = int(os.environ.get("PAGEMAP_ABIDIFF", "0"))


def run(*command: str | Path, **more: str) -> str:
    """What a program prints; its errors are shown where it fails."""
    if not shutil.which(str(command[0])):
        pytest.skip(f"{command[0]} is not installed: see tests/steps/packages.sh")
    # not what a `make test` around this was called with
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        [*map(str, command)],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env={**plain, **more},
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make install` puts below an empty prefix."""
    if not (ROOT / "Makefile").exists() or not os.access(ROOT, os.W_OK):
        pytest.skip("the library is made in the source tree, which is not here, or not ours")
    prefix = tmp_path_factory.mktemp("prefix")
    run("make", "-C", ROOT, "install", f"PREFIX={prefix}", "ARGS=")
    return prefix


def code(header: Path = HEADER) -> str:
    """A header without its comments."""
    return re.sub(r"/\*.*?\*/", "", header.read_text(encoding="ascii"), flags=re.DOTALL)


def functions(header: Path = HEADER) -> dict[str, str]:
    """The declarations of functions, each in one line."""
    return {
        name: " ".join(text.split())
        for text, name in re.findall(r"^((?:\w+ )+\**(pm_\w+)\([^;]*);", code(header), re.MULTILINE)
    }


def exported() -> set[str]:
    """What the symbol map names."""
    text = (ROOT / "csrc" / "library" / "pagemap.map").read_text(encoding="ascii")
    return set(re.findall(r"^\t(pm_\w+);$", text, re.MULTILINE))


@pytest.fixture
def source_tree() -> None:
    if not HEADER.exists():
        pytest.skip("csrc/ lies in the source tree, which is not here")


def test_only_what_the_header_declares_is_exported(prefix: Path) -> None:
    library = next((prefix / "lib").glob("libpagemap.so.*"))
    said = run("nm", "-D", "--defined-only", library)
    found = {line.split()[2].split("@")[0] for line in said.splitlines()}
    assert {name for name in found if name.startswith("pm_")} == exported()
    assert {name for name in found if not name.startswith("pm_")} == {"PAGEMAP_0"}
    assert exported() == functions().keys()


def test_the_shared_library_needs_libc_alone(prefix: Path) -> None:
    said = run("objdump", "-p", next((prefix / "lib").glob("libpagemap.so.*")))
    assert re.findall(r"NEEDED\s+(\S+)", said) in ([], ["libc.so.6"])
    assert re.findall(r"SONAME\s+(\S+)", said) == ["libpagemap.so.0"]
    assert "#define PM_ABI 0" in HEADER.read_text(encoding="ascii")


def test_the_archive_has_each_name_once(prefix: Path) -> None:
    members = run("ar", "t", prefix / "lib" / "libpagemap.a").split()
    assert len(members) == len(set(members)) > 20
    # the package carries one of the same sources
    carried = run("ar", "t", Path(pagemap.get_library_dir()) / "libpagemap.a").split()
    assert len(carried) == len(set(carried)) == len(members)
    assert {name.split("-")[1] for name in members} == set(carried)


@pytest.mark.parametrize("way", ["shared", "static"])
def test_pkg_config_is_enough(prefix: Path, tmp_path: Path, way: str) -> None:
    source = tmp_path / "app.c"
    source.write_text(
        "#include <pagemap.h>\n"
        "#include <stdio.h>\n"
        'int main(void) { printf("%x %s\\n", pm_version(), pm_strerror(-3)); return 0; }\n'
    )
    path = str(prefix / "lib" / "pkgconfig")
    flags = run("pkg-config", "--cflags", "--libs", "pagemap", PKG_CONFIG_PATH=path).split()
    assert run("pkg-config", "--modversion", "pagemap", PKG_CONFIG_PATH=path).strip() == (
        pagemap.__version__
    )
    if way == "static":
        flags = ["-static" if flag == "-lpagemap" else flag for flag in flags] + ["-lpagemap"]
    run("cc", source, *flags, "-o", tmp_path / "app")
    said = run(tmp_path / "app", LD_LIBRARY_PATH=str(prefix / "lib"))
    assert said.endswith(" the process has exited, or never was: open another\n")


@pytest.mark.parametrize(
    ("compiler", "language", "standard"),
    [
        (compiler, language, standard)
        for compiler in ("gcc", "clang")
        for language, standard in (
            ("c", "c11"),
            ("c", "c17"),
            ("c++", "c++11"),
            ("c++", "c++20"),
        )
    ],
)
@pytest.mark.usefixtures("source_tree")
def test_the_header_stands_alone(compiler: str, language: str, standard: str) -> None:
    warnings = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-fsyntax-only")
    run(compiler, "-x", language, f"-std={standard}", *warnings, "-include", HEADER, os.devnull)


@pytest.mark.usefixtures("source_tree")
def test_the_version_is_the_packages() -> None:
    numbers = re.findall(r"^#define PM_VERSION_\w+ (\d+)$", code(), re.MULTILINE)
    assert ".".join(numbers) == pagemap.__version__


@pytest.mark.usefixtures("source_tree")
def test_the_header_keeps_its_narrow_form() -> None:
    """No inline functions, no bit-fields, no types of unsaid width."""
    text = code()
    assert "inline" not in text
    assert not re.search(r"^\t[\w ]+\w+ : \d", text, re.MULTILINE)
    assert not re.search(r"\b(?:int|long|short|unsigned|bool)\b", text)


@pytest.mark.usefixtures("prefix")
@pytest.mark.parametrize("destdir", [False, True])
def test_install_ends_with_what_is_left_to_do(destdir: bool, tmp_path: Path) -> None:
    """Programs start once ldconfig has run; a package's own scripts see to that."""
    where = [f"DESTDIR={tmp_path}", "PREFIX=/usr"] if destdir else [f"PREFIX={tmp_path}"]
    said = run("make", "-C", ROOT, "install", *where, "ARGS=")
    assert ("ldconfig" in said) is not destdir
    assert (f"LD_LIBRARY_PATH={tmp_path}/lib" in said) is not destdir


def test_the_man_page_has_every_function(prefix: Path) -> None:
    page = prefix / "share" / "man" / "man3" / "pagemap.3"
    text = page.read_text().replace("\\-", "-")
    assert set(re.findall(r"^[\w ]+\**(pm_\w+)\(", text, re.MULTILINE)) == functions().keys()
    for checker in (("mandoc", "-T", "lint", "-W", "warning"), ("groff", "-man", "-ww", "-z")):
        if shutil.which(checker[0]):
            assert run(*checker, page) == ""


# The ABI of the first release, which later ones keep as long as PM_ABI is the same.


def test_every_function_of_the_first_release_is_there_as_it_was() -> None:
    if not SAVED.exists():
        pytest.skip("the saved header lies in the source tree, which is not here")
    assert functions(SAVED / "pagemap-0.h").items() <= functions().items()


def layout(header: Path, folder: Path) -> dict[str, int]:
    """Of each member of a struct its offset, and of each constant its value, by the compiler."""
    text = code(header)
    wanted = {
        f"{struct}.{member}": f"offsetof(struct {struct}, {member})"
        for struct, body in re.findall(r"^struct (\w+) \{(.*?)^\};", text, re.MULTILINE | re.DOTALL)
        for member in re.findall(r"(\w+)(?:\[\d+\])?;", body)
    }
    for body in re.findall(r"^enum \w* ?\{(.*?)^\};", text, re.MULTILINE | re.DOTALL):
        wanted.update((name, name) for name in re.findall(r"(PM_\w+) =", body))
    wanted.update((name, name) for name in re.findall(r"#define (PM_\w+)[ \t]", text))
    lines = [
        f'printf("{name} %llu\\n", (unsigned long long)({what}));' for name, what in wanted.items()
    ]
    program = folder / "layout.c"
    program.write_text(
        f'#include "{header}"\n#include <stdio.h>\nint main(void)\n{{\n'
        + "\n".join(lines)
        + "\n}\n"
    )
    run("cc", program, "-o", folder / "layout")
    return {name: int(value) for name, value in map(str.split, run(folder / "layout").splitlines())}


def test_structs_only_grow_and_constants_stay(tmp_path: Path) -> None:
    if not SAVED.exists():
        pytest.skip("the saved header lies in the source tree, which is not here")
    first, now = layout(SAVED / "pagemap-0.h", tmp_path), layout(HEADER, tmp_path)
    assert len(first) > 80
    version = {f"PM_VERSION_{part}" for part in ("MAJOR", "MINOR", "PATCH")}
    kept = {name: value for name, value in first.items() if name not in version}
    assert kept.items() <= now.items()


def test_abidiff_finds_nothing(prefix: Path, tmp_path: Path) -> None:
    """The same by debug information; it takes two builds."""
    if not ABIDIFF:
        pytest.skip("takes half a minute: PAGEMAP_ABIDIFF=1")
    made = tmp_path / SAVED.name
    shutil.copytree(ROOT, made, ignore=shutil.ignore_patterns(".*", "build", "dist", "tests"))
    run("make", "-C", made, "lib", "CFLAGS=-g")
    library = next((made / "build" / "lib").glob("libpagemap.so.*"))
    same = ("--headers-dir2", HEADER.parent, "--drop-private-types")
    assert run("abidiff", *same, SAVED / "libpagemap-0.abi", library) == ""
