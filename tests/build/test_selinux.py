"""SELinux labels: read from what setfiles says, written by debugfs."""

import pytest

from build.selinux import is_complaint, labels, quoted

ROOT = "/work/image/tree"


def test_reads_what_setfiles_would_do() -> None:
    said = [
        f"Would relabel {ROOT} from <no context> to system_u:object_r:root_t:s0",
        f"Would relabel {ROOT}/etc/a file from <no context> to system_u:object_r:etc_t:s0",
        f"Would relabel {ROOT}/usr/bin/sh from user_u:object_r:x_t:s0 to system_u:object_r:shell_exec_t:s0",
        "/etc/selinux/targeted: line 3 has invalid context",
    ]
    assert dict(labels(said, ROOT)) == {
        "/": "system_u:object_r:root_t:s0",
        "/etc/a file": "system_u:object_r:etc_t:s0",
        "/usr/bin/sh": "system_u:object_r:shell_exec_t:s0",
    }


@pytest.mark.parametrize(("path", "written"), [("/a b", '"/a b"'), ('/a"b', '"/a""b"'), ("/[x]*", '"/[x]*"')])
def test_writes_paths_as_debugfs_reads_them(path: str, written: str) -> None:
    assert quoted(path) == written


def test_knows_what_debugfs_complains_of_from_what_it_repeats() -> None:
    told = ["debugfs 1.47.2 (1-Jan-2025)", 'debugfs: ea_set -f /work/0 "/a" security.selinux', "", "/a: File not found"]
    assert list(filter(is_complaint, told)) == ["/a: File not found"]
