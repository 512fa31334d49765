"""Signals that end the command, while there is something that must not outlive it."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["Interrupts"]

# What people and timers send; those that tell of a fault, and SIGKILL, leave no time for anything.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM)


class Interrupts:
    """From now on until `restore`, signals that end us call `discard` before they do.

    It is called in the handler itself: an exception may surface between any two steps of a program,
    also where nobody catches it, or be swallowed where Python lets none through, as in the
    callback of a weak reference. A signal that is ignored (nohup) or handled otherwise stays so.
    """

    def __init__(self, discard: Callable[[], object]) -> None:
        self._discard = discard
        self._interrupted = False
        self._before = {
            int(number): before
            for number in _ENDING
            if (before := signal.getsignal(number)) in (signal.SIG_DFL, signal.default_int_handler)
        }
        for number in self._before:
            signal.signal(number, self._end)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        self._discard()
        if self._before[number] is signal.default_int_handler:
            self._interrupted = True
            raise KeyboardInterrupt
        # As if it had never been handled: whoever waits for us is told which signal it was.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was one, even one that came to nothing."""
        if self._interrupted:
            raise KeyboardInterrupt

    def restore(self) -> None:
        """Let the signals mean again what they meant before."""
        for number, before in self._before.items():
            signal.signal(number, before)
