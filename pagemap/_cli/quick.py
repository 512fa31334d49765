"""The command line where it is plain, without argparse, which loads as long as Python starts.

The rooms of options (options_*.py) declare to whoever asks. `Sketch` takes the same declarations
and matches the words by them; a line that is not plain it leaves to argparse, which then says what
is wrong with it, or understands it: help, abbreviated or unknown options, values that begin with a
dash, numbers of arguments that fit two ways.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["Sketch"]

_KNOWN = {"action", "choices", "default", "dest", "help", "metavar", "nargs"}
_FLAGS = {"store_true": True, "store_false": False}
_ACTIONS = ("store", "append", *_FLAGS)


class _NotPlainError(Exception):
    """Something that argparse is to judge."""


class _Argument:
    """One declared argument. Others may note things on it, as on an argparse.Action."""

    def __init__(self, names: tuple[str, ...], words: dict[str, Any], group: object) -> None:
        self.names = names
        self.action: str = words.get("action", "store")
        self.nargs = words.get("nargs")
        self.choices = words.get("choices")
        self.group = group
        # the first long name, as argparse has it
        self.dest: str = words.get("dest") or next(
            (name for name in names if name.startswith("--")), names[0]
        ).lstrip("-").replace("-", "_")
        self.default = words.get("default", not _FLAGS[self.action] if self.flag else None)

    @property
    def flag(self) -> bool:
        """Whether it is an option without a value."""
        return self.action in _FLAGS

    def take(self, value: str) -> str:
        """The value, if it may be one."""
        if self.choices is not None and value not in self.choices:
            raise _NotPlainError
        return value


class _Declared:
    """All that was declared, in all groups."""

    def __init__(self) -> None:
        self.options: dict[str, _Argument] = {}
        self.positionals: list[_Argument] = []
        self.plain = True


class Sketch:
    """What argparse.ArgumentParser is to the rooms of options, as far as they use it."""

    def __init__(self, group: object = None, declared: _Declared | None = None) -> None:
        self._group = group
        self._all = declared or _Declared()

    def add_argument(self, *names: str, **words: Any) -> _Argument:
        """Take note of an argument."""
        known = words.keys() <= _KNOWN and words.get("action", "store") in _ACTIONS
        argument = _Argument(names, words if known else {}, self._group)
        if names[0].startswith("-"):
            self._all.options.update(dict.fromkeys(names, argument))
            known = known and argument.nargs is None
        else:
            self._all.positionals.append(argument)
            known = known and argument.nargs in (None, "?", "*", "+")
        self._all.plain = self._all.plain and known
        return argument

    def add_mutually_exclusive_group(self) -> Sketch:
        """A sketch of options of which a line may hold one."""
        return Sketch(object(), self._all)

    def add_argument_group(self, *_: str) -> Sketch:
        """The same sketch: groups are for help."""
        return self

    def parse(self, words: Sequence[str]) -> dict[str, Any] | None:
        """What argparse makes of these words, by name; None where that is not plain."""
        if not self._all.plain:
            return None
        try:
            return self._parse(words)
        except _NotPlainError:
            return None

    def _parse(self, words: Sequence[str]) -> dict[str, Any]:
        declared = [*self._all.options.values(), *self._all.positionals]
        result = {argument.dest: argument.default for argument in declared}
        given: dict[object, _Argument] = {}
        stretches: list[list[str]] = [[]]  # arguments between options
        rest = iter(words)
        for word in rest:
            if word == "-" or not word.startswith("-"):
                stretches[-1].append(word)
                continue
            option, value = self._option(word)
            if option.group is not None and given.setdefault(option.group, option) is not option:
                raise _NotPlainError
            if option.flag:
                if value is not None:
                    raise _NotPlainError
                result[option.dest] = _FLAGS[option.action]
            else:
                if value is None:
                    value = next(rest, "-")
                    if value.startswith("-"):  # a dash alone argparse takes for a value
                        raise _NotPlainError
                value = option.take(value)
                before = result[option.dest] or ()
                result[option.dest] = [*before, value] if option.action == "append" else value
            if stretches[-1]:
                stretches.append([])
        self._place([stretch for stretch in stretches if stretch], result)
        return result

    def _option(self, word: str) -> tuple[_Argument, str | None]:
        name, equals, value = word.partition("=")
        if name not in self._all.options or (equals and not name.startswith("--")):
            raise _NotPlainError
        return self._all.options[name], value if equals else None

    def _place(self, stretches: list[list[str]], result: dict[str, Any]) -> None:
        """Give the arguments to who they are for: plain where there is one way to do so."""
        variable = [each for each in self._all.positionals if each.nargs is not None]
        fixed = len(self._all.positionals) - len(variable)
        words = [word for stretch in stretches for word in stretch]
        if not variable:
            if len(words) != fixed:
                raise _NotPlainError
        elif (
            len(variable) > 1
            or variable[0] is not self._all.positionals[-1]
            or len(stretches) != 1
            or len(words) < fixed + (variable[0].nargs == "+")
            or (variable[0].nargs == "?" and len(words) > fixed + 1)
            or len(words) == fixed  # of none the default is meant, or nothing at all
        ):
            raise _NotPlainError
        for argument, word in zip(self._all.positionals[:fixed], words, strict=False):
            result[argument.dest] = argument.take(word)
        if variable:
            many = [variable[0].take(word) for word in words[fixed:]]
            result[variable[0].dest] = many[0] if variable[0].nargs == "?" else many
