"""What each kernel has and lacks: the doctor's words, beside the kernel's own answers."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import workloads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.vm.guest.conftest import Facts

# _IOWR('f', 16, struct pm_scan_arg), whose 12 fields are of 8 bytes; include/uapi/linux/fs.h.
PAGEMAP_SCAN = 0xC0606610
PRESENT = 1 << 3
CATEGORIES = 9


@pytest.fixture(scope="module")
def found() -> Mapping[str, pagemap.FindingRow]:
    return {each.name: each for each in pagemap.doctor()}


def scan(category: int) -> int:
    """The errno of a scan of one of our pages for a category; 0 where it goes well."""
    page = os.sysconf("SC_PAGESIZE")
    start = id(object()) // page * page
    argument = struct.pack("=12Q", 96, 0, start, start + page, 0, 0, 0, 0, 0, 0, 0, category)
    fd = os.open("/proc/self/pagemap", os.O_RDONLY)
    try:
        fcntl.ioctl(fd, PAGEMAP_SCAN, argument)
    except OSError as error:
        return error.errno or 0
    finally:
        os.close(fd)
    return 0


def test_scan(facts: Facts, found: Mapping[str, pagemap.FindingRow]) -> None:
    finding = found["PAGEMAP_SCAN"]
    if facts.scan:
        assert scan(PRESENT) == 0
        assert finding == ("PAGEMAP_SCAN", True, finding.detail, None, None)
        return
    assert scan(PRESENT) == errno.ENOTTY
    assert (finding.ok, finding.errno) == (False, errno.ENOTTY)
    assert finding.detail == "Inappropriate ioctl for device (ENOTTY)"
    assert finding.remedy == "Linux 6.7 or later"


def test_categories(facts: Facts, found: Mapping[str, pagemap.FindingRow]) -> None:
    categories = [finding for name, finding in found.items() if name.startswith("scan ")]
    assert len(categories) == CATEGORIES
    here = [finding.name for finding in categories if finding.ok]
    if facts.scan:
        assert len(here) == CATEGORIES - 1
        assert "scan soft_dirty" in here
    else:
        assert here == []
        assert {finding.errno for finding in categories} == {errno.ENOTTY}


def test_no_guard_regions(facts: Facts, found: Mapping[str, pagemap.FindingRow]) -> None:
    """They are of Linux 6.15."""
    reason = workloads.unavailable("guard")
    assert reason is not None
    assert "Invalid argument" in reason
    finding = found["scan guard"]
    assert not finding.ok
    assert finding.errno == (errno.EINVAL if facts.scan else errno.ENOTTY)
    assert finding.remedy == "Linux 6.15 or later"


def test_soft_dirty_is_tracked(found: Mapping[str, pagemap.FindingRow]) -> None:
    finding = found["soft-dirty"]
    assert (finding.ok, finding.remedy) == (True, None)


def test_write_tracking(facts: Facts, found: Mapping[str, pagemap.FindingRow]) -> None:
    assert found["userfaultfd"].ok
    finding = found["userfaultfd WP_ASYNC"]
    assert finding.ok == facts.write_tracking
    if not finding.ok:
        assert "Linux 6.7 or later" in str(finding.remedy)


def test_the_command_says_the_same(
    facts: Facts, found: Mapping[str, pagemap.FindingRow], command: list[str]
) -> None:
    done = subprocess.run([*command, "doctor", "--json"], check=True, capture_output=True)
    told = {each["name"]: each for each in json.loads(done.stdout)["rows"]}
    assert {name: each["ok"] for name, each in told.items()} == {
        name: each.ok for name, each in found.items()
    }
    assert told["PAGEMAP_SCAN"]["ok"] == facts.scan
    assert told["PAGEMAP_SCAN"]["remedy"] == (None if facts.scan else "Linux 6.7 or later")
