"""What pyproject.toml cannot say: the compiled module, the wheel's tag, the generated files."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import Any

from setuptools import Command, setup
from setuptools.command.build import build

ROOT = Path(__file__).resolve().parent
SHARE = Path("build/share")

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
        from pagemap.cli.parser import build_parser as build
    finally:
        sys.path.remove(str(ROOT))
    return build()


class share(Command):  # noqa: N801 - setuptools names a command by its class
    """Write the man page and the completions, made from the command's parser."""

    description = "write the man page and the shell completions to build/share"
    user_options: list[tuple[str, str, str]] = []  # noqa: RUF012 - setuptools reads the class

    def initialize_options(self) -> None:
        """Have no options."""

    def finalize_options(self) -> None:
        """Have no options."""

    def run(self) -> None:
        """Write the files below build/share."""
        import shtab
        from argparse_manpage.manpage import Manpage

        page = Manpage(
            build_parser(),
            _data={
                "prog": "pagemap",
                "project_name": "pagemap",
                "version": self.distribution.get_version(),
                "description": self.distribution.get_description(),
                "manual_title": "User Commands",
            },
        )
        header, body = str(page).split("\n", 1)
        # The hyphens of a date are escaped there, and then nothing can read it as one.
        texts = {MAN: header.replace("\\-", "-") + "\n" + body}
        for shell, name in COMPLETIONS.items():
            texts[name] = shtab.complete(build_parser(), shell=shell)
        for name, text in texts.items():
            path = SHARE / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def data_files() -> list[tuple[str, list[str]]]:
    """Give the place of each generated file below the prefix."""
    names = [MAN, *COMPLETIONS.values()]
    return [(str(Path("share", name).parent), [str(SHARE / name)]) for name in names]


def wheel_options() -> dict[str, dict[str, str]]:
    """Tag the wheel cp310-abi3, except where Python has no stable ABI yet: free-threaded."""
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return {}
    return {"bdist_wheel": {"py_limited_api": "cp310"}}


class build_with_share(build):  # noqa: N801 - setuptools names a command by its class
    """Build the generated files along with the rest, so that they can be installed."""

    sub_commands = [*build.sub_commands, ("share", None)]  # noqa: RUF012 - setuptools' own form


setup(
    cffi_modules=["csrc/build_ffi.py:ffibuilder"],
    cmdclass={"share": share, "build": build_with_share},
    data_files=data_files(),
    options=wheel_options(),
)
