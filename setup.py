"""What pyproject.toml cannot say: the compiled module, the wheel's tag, the generated files.

What must be there to compile is looked for first (csrc/binding/needed.py).
"""

from __future__ import annotations

import argparse
import importlib
import re
import shutil
import sys
import sysconfig
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from setuptools import Command, Extension, setup
from setuptools._distutils.ccompiler import new_compiler
from setuptools._distutils.sysconfig import customize_compiler
from setuptools.command.build import build
from setuptools.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent
SHARE = Path("build/share")
ARCHIVE = Path("pagemap/lib/libpagemap.a")

MAN = "man/man1/pagemap.1"
COMPLETIONS = {
    "bash": "bash-completion/completions/pagemap",
    "fish": "fish/vendor_completions.d/pagemap.fish",
    "tcsh": "pagemap/completion.tcsh",
    "zsh": "zsh/site-functions/_pagemap",
}


def build_parser() -> Any:
    """Make the command's parser, which needs neither the compiled module nor rich."""
    sys.path.insert(0, str(ROOT))
    try:
        from pagemap._cli.parser import build_parser as build
    finally:
        sys.path.remove(str(ROOT))
    return build()


def all_epilogs(parser: Any) -> dict[str, str]:
    """Give the epilog of the parser and of each subcommand, by what precedes the arguments."""
    epilogs = {"pagemap": parser.epilog or ""}
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to subcommands
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - the same
            for name, command in action.choices.items():
                epilogs[f"pagemap {name}"] = command.examples()
    return epilogs


def roff(text: str) -> str:
    """Escape `text` so that roff prints it line by line as it stands."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return ".nf\n" + re.sub(r"^\.", r"\\&.", escaped, flags=re.MULTILINE) + "\n.fi\n"


def epilog_sections(epilogs: dict[str, str]) -> dict[str, str]:
    """Gather what stands below `examples:`, `exit codes:` and so on into sections of that name.

    argparse-manpage alone calls the first epilog COMMENTS and drops those of subcommands.
    """
    sections: dict[str, str] = {}
    for command, epilog in epilogs.items():
        parts = re.split(r"^([a-z ]+):\n", epilog, flags=re.MULTILINE)
        title = f".SS {command}\n".replace("-", "\\-")
        for heading, text in zip(["examples", *parts[1::2]], parts[::2], strict=True):
            if text.strip():
                section = sections.setdefault(heading, "")
                if title in section:
                    section += ".PP\n"
                elif command != "pagemap":
                    section += title
                sections[heading] = section + roff(textwrap.dedent(text.strip("\n")))
    return sections


class Plain(Command):
    """A command without options."""

    user_options: ClassVar[list[tuple[str, str | None, str]]] = []

    def initialize_options(self) -> None:
        """Have no options."""

    def finalize_options(self) -> None:
        """Have no options."""


def helper(name: str) -> Any:
    """Import a module of csrc/binding/, which is no package."""
    sys.path.insert(0, str(ROOT / "csrc" / "binding"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


class needed(Plain):  # noqa: N801 - setuptools names a command by its class
    """Stop where the compiler, or a header that it needs, is missing."""

    description = "say what is missing of what the build needs"

    def run(self) -> None:
        """Look, and raise CompileError, of which setuptools prints the message alone."""
        if said := helper("needed").missing():
            raise CompileError(f"pagemap cannot be compiled here\n{said}")


class archive(Plain):  # noqa: N801 - setuptools names a command by its class
    """Put the C library and its headers into the package, from where they are installed."""

    description = "compile pagemap/lib/libpagemap.a"

    def run(self) -> None:
        """Compile, and copy the headers."""
        compiler = new_compiler()
        customize_compiler(compiler)
        compiled = compiler.compile(
            helper("archive").sources(Path("csrc")),
            output_dir="build/archive",
            macros=[("_FILE_OFFSET_BITS", "64")],
            include_dirs=["csrc"],
            extra_preargs=helper("archive").FLAGS,
            depends=[str(path) for path in Path("csrc").rglob("*.h")],
        )
        ARCHIVE.unlink(missing_ok=True)
        compiler.create_static_lib(compiled, "pagemap", output_dir=str(ARCHIVE.parent))
        folder = Path("pagemap/include")
        folder.mkdir(exist_ok=True)
        for header in ("include/pagemap.h", "binding/pagemap_capi.h"):
            shutil.copy(Path("csrc", header), folder)
        text = helper("archive").declarations(Path("csrc"))
        Path("pagemap/pagemap.pxd").write_text(text, encoding="ascii")


# The page of the C library is there where that is installed (`make install`).
SEE_ALSO = """\
.SH SEE ALSO
.BR pagemap (3),
.BR proc_pid_pagemap (5)
"""


class share(Plain):  # noqa: N801 - setuptools names a command by its class
    """Write the man page and the completions, made from the command's parser."""

    description = "write the man page and the shell completions to build/share"

    def run(self) -> None:
        """Write the files below build/share."""
        import shtab

        texts = {MAN: self.man_page()}
        for shell, name in COMPLETIONS.items():
            texts[name] = shtab.complete(build_parser(), shell=shell)
        for name, text in texts.items():
            path = SHARE / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def man_page(self) -> str:
        """Make the page."""
        from argparse_manpage.manpage import Manpage

        parser = build_parser()
        epilogs = all_epilogs(parser)
        parser.epilog = None
        page = Manpage(
            parser,
            _data={
                "project_name": "pagemap",
                "version": self.distribution.get_version(),
                "description": self.distribution.get_description(),
                "manual_title": "User Commands",
            },
        )
        for heading, content in epilog_sections(epilogs).items():
            page.add_section(heading, ">", content)
        header, body = str(page).split("\n", 1)
        # Filled as running text, the lines of a usage would be torn apart.
        body = re.sub(r"^usage: .*(?:\n +.*)*", r".nf\n\g<0>\n.fi", body, flags=re.MULTILINE)
        # The hyphens of a date are escaped there, and then nothing can read it as one.
        return header.replace("\\-", "-") + "\n" + body.rstrip("\n") + "\n" + SEE_ALSO


def data_files() -> list[tuple[str, Sequence[str]]]:
    """Give the place of each generated file below the prefix."""
    names = [MAN, *COMPLETIONS.values()]
    return [(str(Path("share", name).parent), [str(SHARE / name)]) for name in names]


def wheel_options() -> dict[str, dict[str, str]]:
    """Tag the wheel cp310-abi3, except where Python has no stable ABI yet: free-threaded."""
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return {}
    return {"bdist_wheel": {"py_limited_api": "cp310"}}


class build_all(build):  # noqa: N801 - setuptools names a command by its class
    """Build the generated files along with the rest, so that they can be installed."""

    sub_commands = [  # noqa: RUF012 - setuptools' own form
        ("needed", None),
        ("archive", None),
        *build.sub_commands,
        ("share", None),
    ]


def extension(name: str, *, links: Sequence[str] = ()) -> Extension:
    """Give a module that makes capsules, which cffi cannot: of the stable ABI, as cffi's own."""
    stable = not sysconfig.get_config_var("Py_GIL_DISABLED")
    return Extension(
        f"pagemap._{name}",
        sources=[f"csrc/binding/{name}.c"],
        depends=[*map(str, Path("csrc").rglob("*.h")), *links],
        include_dirs=["csrc", "csrc/include"],
        define_macros=[("Py_LIMITED_API", "0x030A0000")] if stable else [],
        extra_compile_args=["-std=gnu11", "-O2", "-g0", "-Wall", "-Wextra", "-Wshadow"],
        extra_objects=list(links),
        py_limited_api=stable,
    )


setup(
    cffi_modules=["csrc/binding/build_ffi.py:ffibuilder"],
    ext_modules=[extension("capsules"), extension("capi", links=[str(ARCHIVE)])],
    cmdclass={"archive": archive, "needed": needed, "share": share, "build": build_all},
    data_files=data_files(),
    options=wheel_options(),
)
