"""The patterns of `--map`: which mappings are meant, by their paths."""

from __future__ import annotations

import os

from pagemap._errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

__all__ = ["Patterns"]

_ANONYMOUS = "[anon]"
# Thousands of mappings have the same few paths; this bounds what a strange process may cost.
_KEPT = 1 << 14
_DELETED = " (deleted)"


class Patterns:
    """A filter of mappings by path, which fits when any of its patterns does.

    In a pattern ``*`` stands for any characters, ``?`` for one, every other for itself: brackets
    too, so that ``[heap]`` means what it says. It is compared with the whole path and with its base
    name, each with and without the `` (deleted)`` of an unlinked file. ``[anon]`` fits mappings
    without a path. Raises UsageError for an empty pattern.
    """

    def __init__(self, texts: list[str]) -> None:
        if "" in texts:
            raise UsageError(
                "an empty --map pattern matches nothing; write [anon] for anonymous memory"
            )
        self.texts = texts
        self._unused = {text: _compile(text) for text in texts}
        self._all = dict(self._unused)
        self._answers: dict[str, bool] = {}

    @property
    def unused(self) -> list[str]:
        """The patterns that have fitted nothing so far."""
        return list(self._unused)

    def __call__(self, path: str) -> bool:
        """Whether any pattern fits `path`, which is empty for an anonymous mapping."""
        answer = self._answers.get(path)
        if answer is None:
            answer = self._try(path)
            if len(self._answers) < _KEPT:
                self._answers[path] = answer
        return answer

    @staticmethod
    def nearest(text: str, paths: Iterable[str]) -> str | None:
        """A pattern that fits some of these paths, and is nearly `text`; None where none is.

        >>> Patterns.nearest("libc", ["/usr/lib/libc.so.6"]), Patterns.nearest("anon", [""])
        ('libc*', '[anon]')
        """
        known = list(paths)
        for each in (f"[{text}]", f"{text}*", f"*{text}*"):
            if any(map(Patterns([each]), known)):
                return each
        return None

    def _try(self, path: str) -> bool:
        names = _names(path)
        # Each of them is tried, even when the first fits, or a later one would seem to be unused.
        fitting = [
            text
            for text, pattern in self._all.items()
            if any(pattern.fullmatch(name) for name in names)
        ]
        for text in fitting:
            self._unused.pop(text, None)
        return bool(fitting)


def _names(path: str) -> set[str]:
    whole = path or _ANONYMOUS
    names = {whole, whole.removesuffix(_DELETED)}
    return names | {os.path.basename(name) for name in names}


def _compile(text: str) -> re.Pattern[str]:
    import re  # here: most dumps have no pattern, and it costs as much as half of Python's start

    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(c) or re.escape(c) for c in text), re.DOTALL)
