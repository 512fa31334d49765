"""What is behind the virtual memory of Linux processes: frames, swap, sharing, footprints.

    import pagemap

    with pagemap.Process(pid) as process:
        for mapping in process.maps():
            pages = process.pages(mapping)
            print(mapping.path, pages.counts())

Importing pagemap loads nothing else: the module behind a name is imported when the name is first
used, and what a method needs when it is first called. A signal handler that uses pagemap may
interrupt such an import and find an incomplete module (ImportError, AttributeError): call
`pagemap.load()` before you install the handler. (PYTEST_DONT_REWRITE: else pytest may warn.)
"""

from pagemap import _names
from pagemap._version import __version__ as __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._typed import *  # noqa: F403 - each of them, and nothing else

__all__ = list(_names.PUBLIC)


def load() -> None:
    """Import at once everything that is otherwise imported when it is first used.

    Call it before pagemap is used in a signal handler: a handler that interrupts an import finds
    an incomplete module, and after this call no import is left to interrupt. It takes up to 0.1 s,
    which is why `import pagemap` does not do it.
    """
    for module in (*(f"pagemap.{inner}" for inner in _names.MODULES.values()), *_names.LATE):
        __import__(module)


def __getattr__(name: str) -> object:
    if name not in _names.MODULES:
        raise AttributeError(f"module 'pagemap' has no attribute {name!r}")
    # import_module would load importlib, which costs as much as the rest of this import.
    module = __import__(f"pagemap.{_names.MODULES[name]}", fromlist=[name])
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted(globals().keys() | set(__all__))
