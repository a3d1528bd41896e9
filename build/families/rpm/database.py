"""The tree's rpm database: the keys in it while it is filled, what it tells, and how a filled tree is left."""

import re
import shutil
from collections.abc import Mapping

from build import cache
from build.command import run
from build.errors import RecipeError
from build.families.rpm.settings import key_folder
from build.workspace import Workspace
from distros.recipe import Recipe, Rpm

DATABASE_LEFT = (".rpm.lock", "*-shm", "*-wal", ".dbenv.lock")
"""What programs that use the database leave beside it; a running one makes them anew."""
SETTLE = """\
for loader in "$1"/lib64/ld-linux-*.so.? "$1"/lib/ld-linux-*.so.? -; do [ ! -e "$loader" ] || break; done
[ "$loader" != - ] || exit 0
libraries=$(find "$1"/usr/lib*/ -maxdepth 3 \\( -name 'libsystemd-shared-*.so' -o -name libc.so.6 \\) \
    -printf '%h:')
outside() {
    program=$1/usr/bin/$2
    [ -e "$program" ] || return 0
    shift 2
    # The loader is given the program: neither this machine's libraries nor its programs count.
    "$loader" --library-path "$libraries" "$program" "$@" || case $? in 65 | 73) ;; *) return 1 ;; esac
}
outside "$1" systemd-sysusers --root="$1"
outside "$1" systemd-tmpfiles --root="$1" --create --exclude-prefix=/dev --exclude-prefix=/run
"""
"""Makes the users and the files that package scripts have systemd make, from outside the tree.

Inside it that needs /proc, which a root without CAP_SYS_ADMIN cannot mount there. Done once more for all of it, every
way to build gives the same tree. A tree without systemd is left as it is; 65 and 73 mean lines that cannot be carried
out, of which systemd says the same when it boots (systemd-tmpfiles(8)).
"""
LET_FAIL = (
    re.compile(r"Error in \w+ scriptlet in rpm package \S+"),
    re.compile(r"%\w+\(\S+\) scriptlet failed, exit status \d+|lua script failed: \[string \"%\w+\([^\s)]+\)\"\]"),
)
"""How dnf tells of it, in all cases, and how rpm does, which zypper repeats."""


def trust(work: Workspace, rpm: Rpm, environment: Mapping[str, str]) -> None:
    """Put the keys of `write_settings` into the tree's own rpm database, and no others, for as long as it is filled."""
    database = work.path(rpm.database_path)
    database.mkdir(parents=True, exist_ok=True)
    drop_keys(work, rpm)
    files = sorted(key_folder(work).iterdir())
    work.installer("/usr/bin/rpm", "--dbpath", database, "--import", *files, env=environment)


def drop_keys(work: Workspace, rpm: Rpm) -> None:
    """Take every key out of the tree's rpm database."""
    backend = ("--define", f"_db_backend {rpm.database}", "--dbpath", work.path(rpm.database_path))
    told = work.tool("/usr/bin/rpm", *backend, "--query", "gpg-pubkey", expect=(0, 1)).stdout
    if names := [line for line in told.splitlines() if line.startswith("gpg-pubkey-")]:
        work.tool("/usr/bin/rpm", *backend, "--erase", "--nodeps", "--noscripts", "--notriggers", *names)


def clean(work: Workspace, rpm: Rpm) -> None:
    """Settle a tree that was just installed, and take out what only this build had.

    The keys by which packages were checked go from rpm's database: a mirror's has no place in an image, and the
    distribution's own is imported by the first update from the file that its repository names. Raises RecipeError
    where the database is not where the release has it.
    """
    database = work.path(rpm.database_path)
    if not any(database.glob("*.sqlite")) and not any(database.glob("Packages.db")):
        raise RecipeError(f"there is no rpm database in {rpm.database_path}", "the recipe names another one")
    drop_keys(work, rpm)
    for pattern in DATABASE_LEFT:
        for path in database.glob(pattern):
            path.unlink()
    run("sh", "-ec", SETTLE, "sh", work.tree, log=work.log)


def let_fail(output: str) -> tuple[str, ...]:
    """What to tell of scripts whose failure rpm lets pass: their packages are installed, and perhaps not set up."""
    found = next((all_of for form in LET_FAIL if (all_of := dict.fromkeys(form.findall(output)))), {})
    return tuple(f"{line}: the package is installed, and perhaps not set up" for line in found)


def installed(recipe: Recipe, work: Workspace) -> tuple[tuple[str, str, str], ...]:
    """Name, version (with epoch and release) and architecture of every package in the workspace's tree, sorted."""
    assert recipe.rpm
    return installed_in(work, recipe.rpm)


def installed_in(work: Workspace, rpm: Rpm) -> tuple[tuple[str, str, str], ...]:
    """The same, for whoever has not the recipe but what it says of rpm.

    A copy is asked: a query leaves files beside the database, which would go into the image.
    """
    database = work.file("rpm-database")
    cache.remove(database)
    shutil.copytree(work.path(rpm.database_path), database)
    form = "%{NAME}\\t%{EVR}\\t%{ARCH}\\n"
    backend = ("--define", f"_db_backend {rpm.database}")
    told = work.tool("/usr/bin/rpm", *backend, "--dbpath", database, "--query", "--all", "--queryformat", form).stdout
    cache.remove(database)
    rows = (line.split("\t") for line in told.splitlines())
    return tuple(sorted((row[0], row[1], row[2]) for row in rows if len(row) == 3 and row[0] != "gpg-pubkey"))
