"""Where the package keeps what programs in C, C++ and Cython are built with."""

from __future__ import annotations

import os

__all__ = ["get_include", "get_library_dir"]

_HERE = os.path.dirname(os.path.abspath(__file__))


def get_include() -> str:
    """The folder of the headers pagemap.h and pagemap_capi.h, for the compiler's -I.

    >>> import os
    >>> import pagemap
    >>> "pagemap.h" in os.listdir(pagemap.get_include())
    True
    """
    return os.path.join(_HERE, "include")


def get_library_dir() -> str:
    """The folder of libpagemap.a, for the compiler's -L.

    An extension module needs no library where it takes the capsule by pagemap_capi.h.

    >>> import os
    >>> import pagemap
    >>> os.listdir(pagemap.get_library_dir())
    ['libpagemap.a']
    """
    return os.path.join(_HERE, "lib")
