"""A stint: one time that a machine is switched on, and what is done to it until it is switched off. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

RENAMED = "kiln-renamed"
"""The name that Azure gives a machine anew."""
CHOSEN = "kiln-chosen"
"""The name that a machine's administrator gives it."""


class Deed(StrEnum):
    """What is done to a running machine; it is judged after each."""

    REBOOT = "the guest restarts itself"
    RENAME = f"the metadata service tells the name {RENAMED}, then the guest restarts itself"
    EXTEND = "the goal state tells of an extension with open and protected settings"
    RESET_EXTENSION = "the goal state tells of other settings for the extension"
    CHOOSE = f"`hostnamectl set-hostname {CHOSEN}` in the guest, then it restarts itself"


@dataclass(frozen=True)
class Act:
    """A deed, and how the verdicts on the boot that follows are called: `label` stands before ids, `words` before
    titles."""

    label: str
    words: str
    deed: Deed


PROBED: Mapping[Deed, tuple[str, str, int]] = {
    Deed.EXTEND: ("first word", "first secret", 0),
    Deed.RESET_EXTENSION: ("second word", "second secret", 1),
}
"""What the extension is told openly and in secret, and the number of its settings."""
REBOOT = Act("reboot", "after a reboot", Deed.REBOOT)


@dataclass(frozen=True)
class Stint:
    """One time that a machine is switched on.

    `vm`, `container` and `disk` are names within the scenario: a VM has its id and its addresses, a container is the
    place on Azure's hosts, and a disk is made from the image where it is named first. `grown` is by how many bytes the
    disk is larger than in the stint before, `clock` by how many seconds the machine's clock is wrong, and `data_disks`
    are the sizes in bytes of empty disks beside the first, `resource_disk` that of the temporary disk, 0 for none, and
    `more_cards` is how many network cards there are beside the first, which has a second address then. A
    stint `fresh` is a first boot, of a machine that Azure has just made from the image: the disc is in its drive. One
    `attached` was made around a disk that was there: Azure gives it neither name nor administrator, and does not wait
    for its report. One of a `pool` was made before anybody wanted it: it reports ready, waits as the pool's name says
    ("Running" or "Savable"), and is handed over to its owner. One `beside` is played while the stint before it still
    stands, its guest running, and in the same network: a machine and a disk of its own.
    """

    label: str = ""
    words: str = ""
    vm: str = "first"
    container: str = "first"
    disk: str = "first"
    grown: int = 0
    clock: int = 0
    data_disks: tuple[int, ...] = ()
    resource_disk: int = 0
    more_cards: int = 0
    acts: tuple[Act, ...] = ()
    fresh: bool = True
    attached: bool = False
    pool: str = "None"
    beside: bool = False

    @property
    def changes_cards(self) -> bool:
        """Whether its network card is pulled while it runs, and another plugged in."""
        return self.pool == "Savable"

    @property
    def is_twin(self) -> bool:
        """Whether it is another machine of the same image, with a disk of its own."""
        return self.disk != "first"
