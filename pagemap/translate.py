"""Why an address has no physical address: the slow half of `virt_to_phys`."""

from __future__ import annotations

from pagemap.errors import NotMapped, NotPresent, PfnsHidden, SwappedOut
from pagemap.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap.errors import AddressError
    from pagemap.pages import Page
    from pagemap.process import Process

__all__ = ["translate"]


def translate(process: Process, address: int) -> int:
    """The physical address, in bytes, of a page that came in meanwhile; else raise what is wrong.

    Raises NotMapped, NotPresent, SwappedOut, PfnsHidden.
    """
    page = process.entry(address)
    if not page.present:
        raise _absence(process, page, address)
    if page.physical_address is None:
        raise PfnsHidden(
            f"cannot read PFNs of process {process.pid}: the kernel hides them from who opened it "
            "without CAP_SYS_ADMIN (in the initial user namespace); run with sudo",
            pid=process.pid,
            operation="translate",
        )
    return page.physical_address + address - page.address


def _absence(process: Process, page: Page, address: int) -> AddressError:
    pid = process.pid
    of = f"{address:#x} of process {pid}"
    if page.guard:
        return NotPresent(
            f"{of} lies in a guard region: no page can be there", address=address, pid=pid
        )
    if page.swapped:
        if page.pfns_visible:
            place = f": swap type {page.swap_type}, offset {page.swap_offset:#x}"
        else:
            place = "; where in swap, the kernel hides without CAP_SYS_ADMIN"
        return SwappedOut(
            f"{of} is swapped out{place}",
            address=address,
            pid=pid,
            swap_type=page.swap_type,
            swap_offset=page.swap_offset,
        )
    for mapping in process.maps():
        if mapping.start <= address < mapping.end:
            what = printable(mapping.path) or "anonymous memory"
            return NotPresent(
                f"{of} is mapped ({what}) but not present: never touched, or taken back",
                address=address,
                pid=pid,
            )
    return NotMapped(
        f"{of} is in no mapping: /proc/{pid}/maps lists them", address=address, pid=pid
    )
