"""The command `pagemap`: runs a subcommand, and turns its errors into messages and exit codes.

A subcommand returns its exit code or raises; this is the only place that turns an error into a line
on stderr and a code. Everything is imported when it is needed, for the command's start is most of
what a small dump costs.
"""

from __future__ import annotations

import os
import sys
from errno import ENOMEM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from sys import UnraisableHookArgs
    from typing import Any

__all__ = ["main"]

INTERRUPTED = 130  # 128 + SIGINT
BROKEN_PIPE = 141  # 128 + SIGPIPE

NO_MEMORY = "pagemap: out of memory: allow this process more (ulimit -d, -v), or ask for less\n"


def main(argv: Sequence[str] | None = None, *, own_process: bool = False) -> int:
    """Run the command with the arguments `argv`, those of this process by default.

    In a process that is the command's own an interrupt ends it, wherever it comes.

    Returns the exit code; no error of any sort leaves it but those that are mistakes of pagemap
    itself.
    """
    try:
        if own_process:
            sys.unraisablehook = _unraised
        code = _main(sys.argv[1:] if argv is None else argv)
        if own_process:
            _end_at_interrupts()
    except KeyboardInterrupt:  # from wherever: the imports take longer than many a dump
        return INTERRUPTED
    except (MemoryError, SystemError):  # what Python says where an error finds no memory itself
        code = 1
    else:
        return code
    # Here what the failed call held is free again, and the message finds room.
    _say_no_memory()
    if own_process:
        # Python's own end asks for memory too, and says each time that there is none
        os._exit(code)
    return code


def _say_no_memory() -> None:
    try:
        if sys.stderr is not None:
            sys.stderr.write(NO_MEMORY)
            sys.stderr.flush()
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, MemoryError):
        return


def _unraised(about: UnraisableHookArgs) -> None:
    """An interrupt that Python would swallow, in the callback of a weak reference say, ends us."""
    if about.exc_type is KeyboardInterrupt:
        os._exit(INTERRUPTED)
    if about.exc_type is not MemoryError:  # which the next to ask for memory will tell
        sys.__unraisablehook__(about)


def _end_at_interrupts() -> None:
    """Let an interrupt end us at once: all is done but what Python does at its own end."""
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))


def _main(argv: Sequence[str]) -> int:
    from pagemap._cli.messages import complain, mute, why
    from pagemap._errors import PagemapError

    try:
        code = _run(argv)
        _flush()
    except PagemapError as error:
        from pagemap._cli.exit_codes import code_of, message_of

        complain(message_of(error))
        code = code_of(error)
    except BrokenPipeError:
        code = BROKEN_PIPE
        mute(sys.stdout)
    except OSError as error:
        if error.errno == ENOMEM:
            raise MemoryError from error
        complain(why(error))
        code = 1
        mute(sys.stdout)
    return code


def _flush() -> None:
    # Here, where its failure can still be told; Python's own flush at exit comes too late.
    from pagemap._cli.messages import unwritten

    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritten(error) from error


def _run(argv: Sequence[str]) -> int:
    arguments = _parsed(argv)
    if isinstance(arguments, int):
        return arguments
    from pagemap._cli.commands import COMMANDS

    if getattr(arguments, "output", None) or getattr(arguments, "watch", None):
        from pagemap._cli.saved_files import check_output

        check_output(arguments)
    (module,) = [each for name, _, each in COMMANDS if name == arguments.command]
    module = f"pagemap._cli.commands.{module}"
    __import__(module)
    code: int = sys.modules[module].run(arguments)
    return code


def _parsed(argv: Sequence[str]) -> Any:
    """The arguments, or the exit code of a line that asks for no subcommand."""
    from pagemap._cli.commands import COMMANDS
    from pagemap._cli.messages import tell, unwritten
    from pagemap._cli.parser import build_parser
    from pagemap._errors import UsageError
    from pagemap._vocabulary.names import unknown

    # before the subcommand there are only options that take no value
    command = next((word for word in argv if not word.startswith("-")), "")
    names = [name for name, _, _ in COMMANDS]
    if command and command not in names:
        raise UsageError(f"{unknown('pagemap', command, names)}\ntry 'pagemap --help'")
    parser = build_parser(command)
    try:
        arguments, rest = parser.parse_known_args(argv)
    except SystemExit as stop:  # argparse's way to end --help and --version
        return stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:
        raise
    except OSError as error:  # of --help and --version too
        raise unwritten(error) from error
    if rest:  # argparse itself would name the help of the whole command
        from pagemap._cli.saved_targets import refused, saved

        for word in rest:
            if saved(word) is not None:  # to a command without TARGET
                raise refused(word)
        asked = f"pagemap {command}".rstrip()
        raise UsageError(f"unrecognized arguments: {' '.join(rest)}\ntry '{asked} --help'")
    if arguments.command is None:
        tell(parser.format_help())
        return 2
    return arguments
