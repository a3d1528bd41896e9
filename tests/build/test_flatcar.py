"""Flatcar: an image that is published whole: believed when it is signed, never booted, customised by Ignition."""

import base64
import bz2
import hashlib
import json
import struct
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import distros
from build import btrfs, gptgrow, ignition, keys
from build.errors import CallerError, KilnError, MachineError
from build.families import Sources, flatcar
from build.flatcar import CheckSystem
from build.gpt import read_table
from build.ignition import config, require_possible
from build.oem import CustomizeOem, merged
from build.plan import Choices, plan
from build.published import FetchImage, GrowDisk, Published, UnpackImage, sha512s
from build.request import BuildRequest, choose, find_recipe
from build.spec import load
from build.spec.steps import steps as spec_steps
from build.spec.value import Content, File, Services, Spec, User, shown
from build.vhd import append_footer
from build.workspace import Workspace
from distros.recipe import Recipe
from tests.harness.images import write_gpt
from tests.standin.key import SigningKey
from tests.standin.serve import served

MIB = 1 << 20
VERSION = "4593.2.1"
FILE = "flatcar_production_azure_image.vhd.bz2"
FIXED = "00000000-0000-0000-0000-000000000001"
RECIPE = find_recipe("flatcar", "stable", "x86_64")


@pytest.fixture(scope="module")
def made_keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[SigningKey, SigningKey]:
    """The key that signs the release, and somebody else's."""
    folders = [tmp_path_factory.mktemp(name) for name in ("own", "foreign")]
    return SigningKey.make(folders[0]), SigningKey.make(folders[1])


@dataclass
class Server:
    """A release server's folder; `key` signs what it has."""

    folder: Path
    key: SigningKey
    url: str = ""

    @property
    def version(self) -> Path:
        return self.folder / "amd64-usr" / VERSION

    def publish(self, content: bytes, by: SigningKey | None = None) -> None:
        """Publish an image, its list signed by `by`."""
        for path in (self.version, self.version.parent / "current"):
            path.mkdir(parents=True, exist_ok=True)
        (self.version.parent / "current/version.txt").write_text(f"FLATCAR_BUILD=4593\nFLATCAR_VERSION={VERSION}\n")
        image, listing = self.version / FILE, self.version / "list"
        image.write_bytes(content)
        digests = {name: hashlib.new(name, content).hexdigest() for name in ("md5", "sha512")}
        listing.write_text("".join(f"# {name.upper()} HASH\n{value}  {FILE}\n" for name, value in digests.items()))
        with (by or self.key).opened() as opened:
            opened.clear_sign(listing, self.version / f"{FILE}.DIGESTS.asc")
            opened.detach_sign(image, self.version / f"{FILE}.sig", armor=False)

    def sources(self, *, offline: bool = False) -> Sources:
        return Sources(self.url, None, offline)

    def recipe(self) -> Recipe:
        """The recipe, with this server's key as the pinned one."""
        assert RECIPE.image
        keyring = keys.take(self.key.public)
        return replace(RECIPE, image=replace(RECIPE.image, keyring=keyring, signed_by=(self.key.fingerprint,)))


@pytest.fixture
def server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_keys: tuple[SigningKey, SigningKey]
) -> Iterator[Server]:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))
    here = Server(tmp_path / "served", made_keys[0])
    here.folder.mkdir()
    with served(here.folder) as there:
        here.url = there.url
        here.publish(b"an image")
        yield here


def asked(server: Server, *, offline: bool = False) -> Published:
    (state,) = flatcar.states(server.recipe(), server.sources(offline=offline), lambda text: None)
    return state


def workspace(tmp_path: Path, *, offline: bool = False) -> Workspace:
    work = Workspace(tmp_path / "tools", "image", tmp_path / "cache", sys.stderr, 1_700_000_000, offline)
    work.folder.mkdir(parents=True, exist_ok=True)
    return work


def test_resolves_the_newest_version_and_knows_when_it_was_signed(server: Server) -> None:
    state = asked(server)
    assert (state.version, state.suite, state.url) == (VERSION, "stable", f"{server.url}/amd64-usr")
    assert state.date > 1_700_000_000
    assert asked(server, offline=True) == state
    flatcar.verify(state, Path("/"), mirror=True)
    assert flatcar.read_state(json.loads(json.dumps(vars(state)))) == state


def test_asks_nobody_offline(server: Server, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="never been asked for"):
        asked(server, offline=True)
    state = asked(server)
    with pytest.raises(MachineError, match="cache does not hold"):
        FetchImage(state).run(workspace(tmp_path, offline=True))
    FetchImage(state).run(workspace(tmp_path))
    FetchImage(state).run(workspace(tmp_path, offline=True))


@pytest.mark.parametrize("text", ["", "FLATCAR_VERSION=../../etc", "<html>", "FLATCAR_VERSION=\n"])
def test_takes_no_version_that_could_lead_elsewhere(text: str) -> None:
    with pytest.raises(MachineError, match="names no version"):
        flatcar.version_of(text, "https://example.invalid/version.txt")


def test_takes_digests_of_sha512_alone_from_a_list() -> None:
    text = "# MD5 HASH\naa  one\n# SHA1 HASH\nbb  one\n# SHA512 HASH\ncc  one\nDD *two\n"
    assert dict(sha512s(text)) == {"one": "cc", "two": "dd"}


def test_refuses_a_list_that_was_altered(server: Server) -> None:
    listing = server.version / f"{FILE}.DIGESTS.asc"
    listing.write_text(listing.read_text().replace(FILE, FILE.upper()))
    with pytest.raises(CallerError, match="does not hold"):
        asked(server)


def test_refuses_a_list_that_somebody_else_signed(server: Server, made_keys: tuple[SigningKey, SigningKey]) -> None:
    server.publish(b"an image", by=made_keys[1])
    with pytest.raises(CallerError, match="does not hold") as refusal:
        asked(server)
    assert "newer than this Kiln" in refusal.value.hint


def test_refuses_a_key_of_the_keyring_that_is_not_the_pinned_one(server: Server) -> None:
    assert RECIPE.image
    recipe = server.recipe()
    assert recipe.image
    pinned = replace(recipe, image=replace(recipe.image, signed_by=RECIPE.image.signed_by))
    with pytest.raises(KilnError, match="may not sign"):
        flatcar.states(pinned, server.sources(), lambda text: None)


def test_reads_nothing_that_stands_outside_the_signature(server: Server, tmp_path: Path) -> None:
    listing = server.version / f"{FILE}.DIGESTS.asc"
    evil = f"# SHA512 HASH\n{'0' * 128}  {FILE}\n"
    listing.write_text(evil + listing.read_text() + evil)
    try:
        state = asked(server)
        FetchImage(state).run(workspace(tmp_path))
    except KilnError:
        return
    assert workspace(tmp_path).file("packed").read_bytes() == b"an image"


def test_refuses_an_image_that_was_altered(server: Server, tmp_path: Path) -> None:
    state = asked(server)
    (server.version / FILE).write_bytes(b"another!")
    with pytest.raises(MachineError, match="digest"):
        FetchImage(state).run(workspace(tmp_path))


def test_refuses_an_image_whose_own_signature_is_somebody_elses(
    server: Server, tmp_path: Path, made_keys: tuple[SigningKey, SigningKey]
) -> None:
    state = asked(server)
    with made_keys[1].opened() as opened:
        opened.detach_sign(server.version / FILE, server.version / f"{FILE}.sig", armor=False)
    with pytest.raises(CallerError, match="does not hold"):
        FetchImage(state).run(workspace(tmp_path))


def test_refuses_an_image_whose_signature_is_none(server: Server, tmp_path: Path) -> None:
    state = asked(server)
    (server.version / f"{FILE}.sig").write_bytes(b"no signature")
    with pytest.raises(CallerError, match="does not hold"):
        FetchImage(state).run(workspace(tmp_path))
    server.publish(b"an image")
    FetchImage(state).run(workspace(tmp_path))


def test_fetches_it_once(server: Server, tmp_path: Path) -> None:
    state = asked(server)
    FetchImage(state).run(workspace(tmp_path))
    _take_away(server)
    FetchImage(state).run(workspace(tmp_path))


def _take_away(server: Server) -> None:
    for path in server.version.iterdir():
        path.unlink()


def disk(folder: Path, size: int = 16 * MIB, identity: str = FIXED) -> Path:
    """A disk with a GPT of two partitions."""
    path = folder / "disk.raw"
    with path.open("wb") as file:
        file.truncate(size)
        kind = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
        write_gpt(file, size, [(1, kind, 2048, 2048), (9, kind, 8192, 4096)], identity)
    return path


def test_unpacks_the_disk_without_its_footer_and_with_holes(tmp_path: Path) -> None:
    work, made = workspace(tmp_path), disk(tmp_path)
    plain = made.read_bytes()
    append_footer(made, uuid.UUID(FIXED), 1_700_000_000)
    work.file("packed").write_bytes(bz2.compress(made.read_bytes()))
    UnpackImage().run(work)
    assert work.disk.read_bytes() == plain
    assert work.disk.stat().st_blocks * 512 < len(plain) // 2


@pytest.mark.parametrize("damage", ["cut", "foreign", "no footer"])
def test_says_that_an_image_is_broken(damage: str, tmp_path: Path) -> None:
    work, made = workspace(tmp_path), disk(tmp_path)
    packed = bz2.compress(made.read_bytes())
    work.file("packed").write_bytes({"cut": packed[:-50], "foreign": b"no bzip2 at all", "no footer": packed}[damage])
    with pytest.raises(KilnError) as refusal:
        UnpackImage().run(work)
    assert refusal.value.status in (2, 3)


def test_grows_a_disk_and_keeps_its_ids(tmp_path: Path) -> None:
    work = workspace(tmp_path)
    disk(tmp_path).rename(work.disk)
    with work.disk.open("rb") as file:
        before = read_table(file, 16 * MIB)
    for _ in range(2):
        GrowDisk(64 * MIB).run(work)
        with work.disk.open("rb") as file:
            after = read_table(file, 64 * MIB)
            file.seek(16 * MIB - 512)
            assert not any(file.read(512))
        assert after.problems == ()
        assert after.disk_guid == before.disk_guid
        assert after.partitions == before.partitions
        assert after.last_usable == 64 * MIB // 512 - 34
    assert struct.unpack_from("<I", work.disk.read_bytes()[:512], 458)[0] == 64 * MIB // 512 - 1


@pytest.mark.parametrize(
    ("identity", "reason"), [("a9b52e7b-8a1d-4c53-9a51-2f6b8c0a7d11", "was booted"), (FIXED, "no EFI system partition")]
)
def test_refuses_a_disk_that_was_booted_or_cannot_boot(identity: str, reason: str, tmp_path: Path) -> None:
    work = workspace(tmp_path)
    disk(tmp_path, identity=identity).rename(work.disk)
    with pytest.raises(MachineError, match=reason):
        CheckSystem("flatcar", VERSION).run(work)


def test_never_cuts_a_disk(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="too small"):
        gptgrow.grow(disk(tmp_path), 8 * MIB)


def test_tells_what_a_spec_comes_to_without_its_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A plan's id must not let anybody guess a short secret: its digest is slow, and stands for the whole config."""
    monkeypatch.setenv("TOKEN", "sesame open")
    (tmp_path / "edge.toml").write_text(
        'distro = "flatcar"\n[[files]]\npath = "/etc/token"\ncontent = { from_env = "TOKEN" }\n'
        '[services]\nenable = ["docker"]\n[[users]]\nname = "ada"\nsudo = true\n'
    )
    spec = load(tmp_path / "edge.toml")
    content = ignition.base(spec)
    assert content
    assert base64.b64encode(b"sesame open") in content.read()
    assert content.digest != hashlib.sha256(content.read()).hexdigest()
    effects = tuple(line for step in spec_steps(spec) for line in step.describe().splitlines())
    step = CustomizeOem("edge", content, None, (), effects)
    for text in (repr(step), step.describe()):
        assert "sesame" not in text
        assert base64.b64encode(b"sesame open").decode() not in text
    for line in ("/etc/token (0600 root:root, secret from environment variable TOKEN)", "enable docker.service"):
        assert line in step.describe()


def test_writes_a_spec_as_an_ignition_config() -> None:
    spec = Spec(
        files=(
            File("/etc/motd", shown("hello\n"), 0o600, "core", "500"),
            File("/etc/systemd/system/web.service", shown("[Service]\nExecStart=/bin/true\n")),
            File("/opt/link", None, target="../usr/bin"),
        ),
        services=Services(enable=("web.service",), disable=("update-engine.service",), mask=("locksmithd.service",)),
        users=(User("web", ("docker",), ("ssh-ed25519 AAAA me",), sudo=True),),
        timezone="Europe/Berlin",
    )
    told = json.loads(config(spec))
    assert told["ignition"] == {"version": ignition.VERSION}
    motd, sudoers = told["storage"]["files"]
    assert (motd["path"], motd["mode"], motd["overwrite"]) == ("/etc/motd", 0o600, True)
    assert (motd["user"], motd["group"]) == ({"name": "core"}, {"id": 500})
    assert motd["contents"]["source"] == "data:;base64,aGVsbG8K"
    assert sudoers["path"] == "/etc/sudoers.d/web"
    assert [(one["path"], one["target"]) for one in told["storage"]["links"]] == [
        ("/opt/link", "../usr/bin"),
        ("/etc/localtime", "../usr/share/zoneinfo/Europe/Berlin"),
    ]
    assert told["systemd"]["units"] == [
        {"name": "web.service", "contents": "[Service]\nExecStart=/bin/true\n", "enabled": True},
        {"name": "update-engine.service", "enabled": False},
        {"name": "locksmithd.service", "mask": True},
    ]
    (user,) = told["passwd"]["users"]
    assert (user["name"], user["groups"], user["sshAuthorizedKeys"]) == ("web", ["docker"], ["ssh-ed25519 AAAA me"])
    assert config(spec) == config(spec)


def test_writes_no_config_for_nothing() -> None:
    assert config(Spec()) == ""


@pytest.mark.parametrize(
    ("spec", "key"),
    [
        (Spec(packages=("htop",)), "packages.add"),
        (Spec(removed=("vim",)), "packages.remove"),
        (Spec(removed_arguments=("quiet",)), "kernel_arguments.remove"),
        (Spec(locale="de_DE.UTF-8"), "locale"),
        (Spec(first_boot=shown("#cloud-config\n")), "first_boot"),
    ],
)
def test_refuses_what_ignition_cannot_do_and_says_why(spec: Spec, key: str) -> None:
    with pytest.raises(CallerError, match=key):
        require_possible(spec)


def test_keeps_the_vendors_own_base_config_under_the_users() -> None:
    told = json.loads(merged('{"ignition": {"version": "3.0.0"}}', config(Spec(timezone="UTC"))))
    (below,) = told["ignition"]["config"]["merge"]
    assert below["source"].startswith("data:;base64,")
    assert told["storage"]["links"]


def titles(spec: Spec = Spec(), size: int = 30 << 30) -> list[str]:  # noqa: B008 - a frozen value
    signed = ("given:b", ("C",), "{url}.sig")
    state = Published("https://example.invalid/amd64-usr", "stable", FILE, VERSION, "a" * 64, 1, *signed)
    chosen = Choices("both", "generalized", "ignition", "", size, spec=spec)
    return [step.describe() for step in plan(RECIPE, chosen, (state,), 1).steps]


def test_leaves_the_image_as_it_is_where_nothing_is_added() -> None:
    assert [title.split()[0] for title in titles()] == ["Fetch", "Unpack", "Check", "Grow"]


def test_writes_the_users_config_only_where_it_is_asked_for() -> None:
    (base,) = [title for title in titles(Spec(timezone="UTC")) if "OEM" in title]
    assert "base/base.ign" in base and "config.ign" not in base
    own = Content("d", held=b'{"ignition": {"version": "3.3.0"}}')
    (user,) = [title for title in titles(Spec(first_boot=own)) if "OEM" in title]
    assert "config.ign" in user and "base/base.ign" not in user


def test_refuses_packages_and_sizes_that_azure_does_not_take() -> None:
    with pytest.raises(CallerError, match="none can be added"):
        titles(Spec(packages=("htop",)))
    with pytest.raises(CallerError, match="none that Azure takes"):
        titles(size=(30 << 30) + 1)


def test_is_offered_generalized_alone_and_says_why() -> None:
    assert choose(RECIPE, BuildRequest("flatcar")).provisioner == "ignition"
    with pytest.raises(CallerError, match="first boot"):
        choose(RECIPE, BuildRequest("flatcar", kind="specialized"))
    with pytest.raises(CallerError, match="--gen 1"):
        choose(RECIPE, BuildRequest("flatcar", gen="1"))


def test_takes_users_that_ignition_makes() -> None:
    spec = Spec(name="web", users=(User("web", ssh_keys=("ssh-ed25519 AAAA me",)),), file="web.toml")
    assert choose(RECIPE, BuildRequest("flatcar"), spec).spec == spec


def test_ships_the_key_whose_fingerprint_its_recipe_pins() -> None:
    assert RECIPE.image and RECIPE.image.keyring == "distros:keys/flatcar.asc"
    binary = keys.dearmored((Path(distros.__file__).parent / "keys/flatcar.asc").read_bytes())
    length = int.from_bytes(binary[1:3], "big")
    packet = binary[3 : 3 + length]
    found = hashlib.sha1(b"\x99" + length.to_bytes(2, "big") + packet).hexdigest().upper()
    assert RECIPE.image.signed_by == (found,)


def test_knows_the_checksum_of_btrfs() -> None:
    assert btrfs._checksum(b"123456789") == bytes.fromhex("839206e3")
