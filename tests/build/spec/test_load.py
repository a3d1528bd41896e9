"""Specs from files: what is refused, in which words, and what comes of layers and references."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from build.errors import CallerError
from build.spec import letter, load
from build.spec.template import EXAMPLE, write
from build.spec.value import Content, Services, Spec, hidden


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))


def spec(folder: Path, text: str, name: str = "web.toml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(CallerError) as raised:
        load(spec(folder, text))
    assert raised.value.hint
    return raised.value.what


NO_SECRET = 'it takes no text: a secret does not stand in a spec, but { from_env = "NAME" } or { from_file = "PATH" }'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('sise = "3G"', "web.toml:1: sise: there is no such key; did you mean 'size'?"),
        ("\n\n[package]\nadd = []", "web.toml:3: package: there is no such key; did you mean 'packages'?"),
        ("[packages]\nad = []", "web.toml:2: packages.ad: there is no such key; did you mean 'add'?"),
        ("[packages]\nzzz = []", "web.toml:2: packages.zzz: there is no such key; there is: add, remove"),
        ('packages = ["a"]', "web.toml:1: packages: this is a list, it takes a table"),
        ('[packages]\nadd = "a"', "web.toml:2: packages.add: this is text, it takes a list of values: write [ ]"),
        ("[packages]\nadd = [1]", "web.toml:2: packages.add[1]: this is a number, it takes text"),
        (
            '[packages]\nadd = [\n"a",\n"b=1.0"]',
            "web.toml:4: packages.add[2]: 'b=1.0' will not do: a package's name alone, without a version",
        ),
        ('[packages]\nadd = ["a"]\nremove = ["a"]', "web.toml:3: packages.remove[1]: 'a' stands in 'add' as well"),
        ('arch = "x86-64"', "web.toml:1: arch: 'x86-64' does not exist; did you mean 'x86_64'?"),
        ('type = "special"', "web.toml:1: type: 'special' does not exist; did you mean 'specialized'?"),
        ('generation = "3"', "web.toml:1: generation: '3' does not exist; there is: 1, 2, both"),
        ("generation = 2", "web.toml:1: generation: this is a number, it takes text"),
        ('size = "30X"', "web.toml:1: size: '30X' is not a size; write it like 30G, 31457280K or 32212254720 (bytes)"),
        ("size = 30", 'web.toml:1: size: this is a number, it takes text as "30G"'),
        (
            'hostname = "Web_1"',
            "web.toml:1: hostname: 'Web_1' will not do: a-z, 0-9 and -, at most 63, as Azure's DNS takes it",
        ),
        ('locale = "german"', "web.toml:1: locale: 'german' will not do: a locale, as 'de_AT.UTF-8'"),
        ('timezone = "../x"', "web.toml:1: timezone: '../x' will not do: a time zone, as 'Europe/Vienna'"),
        (
            '[files]\npath = "/a"',
            "web.toml:1: files: this is a table, it takes a list of tables: write [[ ]] around its name",
        ),
        ('[[files]]\ncontent = "a"', "web.toml:1: files[1]: the key 'path' is missing"),
        ('[[files]]\npath = "/a"', "web.toml:1: files[1]: one of 'content', 'source' is missing"),
        (
            '[[files]]\npath = "/a"\ncontent = ""\nsource = "b"',
            "web.toml:4: files[1].source: 'content' is there already: say one of them",
        ),
        (
            '[[files]]\npath = "/a"\ncontent = { from_env = "A", from_file = "b" }',
            "web.toml:3: files[1].content.from_file: 'from_env' is there already: say one of them",
        ),
        (
            '[[files]]\npath = "/a"\ncontent = { from_evn = "A" }',
            "web.toml:3: files[1].content.from_evn: there is no such key; did you mean 'from_env'?",
        ),
        (
            '[[files]]\npath = "/a"\ncontent = ""\nmode = "rw"',
            "web.toml:4: files[1].mode: 'rw' will not do: permission bits in octal, as \"0644\"",
        ),
        (
            '[[files]]\npath = "/etc/../a"\ncontent = ""',
            "web.toml:2: files[1].path: '/etc/../a' is no path of a file: write it from / on, "
            "without '.', '..' and '//'",
        ),
        (
            '[[files]]\npath = "/run/a"\ncontent = ""',
            "web.toml:2: files[1].path: '/run/a' would not stay: an image keeps nothing in /run",
        ),
        (
            '[[files]]\npath = "/etc/hostname"\ncontent = ""',
            "web.toml:2: files[1].path: '/etc/hostname' is not for a spec to write: the key 'hostname' names a "
            "specialized image",
        ),
        (
            '[[files]]\npath = "/etc/ssh/ssh_host_rsa_key"\ncontent = ""',
            "web.toml:2: files[1].path: '/etc/ssh/ssh_host_rsa_key' would be shared by all machines: "
            "each makes its own",
        ),
        (
            '[[files]]\npath = "/a"\nsource = "b"',
            "web.toml:3: files[1].source: b cannot be read: No such file or directory",
        ),
        (
            '[[files]]\npath = "/a"\ncontent = { from_file = "b" }',
            "web.toml:3: files[1].content.from_file: b cannot be read: No such file or directory",
        ),
        (
            '[[files]]\npath = "/a"\ncontent = { from_env = "KILN_NOT_THERE" }',
            "web.toml:3: files[1].content.from_env: the environment has no KILN_NOT_THERE, or an empty one",
        ),
        ("[[commands]]\nnetwork = true", "web.toml:1: commands[1]: the key 'run' is missing"),
        ('[[commands]]\nrun = " "', "web.toml:2: commands[1].run: ' ' will not do: it is empty"),
        ("[[commands]]\nrun = []", "web.toml:2: commands[1].run: the list is empty"),
        (
            '[[commands]]\nrun = "a"\nnetwork = "yes"',
            "web.toml:3: commands[1].network: this is text, it takes true or false",
        ),
        (
            '[[commands]]\nrun = "a"\nenvironment = { "A-B" = "x" }',
            "web.toml:3: commands[1].environment.A-B: 'A-B' will not do: a variable's name has letters, "
            "digits and _ alone",
        ),
        (
            '[services]\nenable = ["a"]\nmask = ["a"]',
            "web.toml:3: services.mask[1]: 'a' stands in 'enable' as well",
        ),
        (
            '[kernel_arguments]\nadd = ["root=/dev/sda1"]',
            "web.toml:2: kernel_arguments.add[1]: 'root=/dev/sda1' will not do: one kernel argument without spaces or "
            "quotes; no root=",
        ),
        ('[[users]]\nname = "root"', "web.toml:2: users[1].name: 'root' will not do: a-z, 0-9, - and _, at most 31"),
        (
            '[[users]]\nname = "ada"\npassword_hash = "$6$x"',
            f"web.toml:3: users[1].password_hash: this is text, {NO_SECRET}",
        ),
        (
            '[[users]]\nname = "ada"\npassword_hash = { from_env = "KILN_CLEAR" }',
            "web.toml:3: users[1].password_hash: that is no hash of a password: make one with `mkpasswd -m yescrypt`",
        ),
        (
            '[[users]]\nname = "ada"\nssh_keys = [{ from_env = "KILN_CLEAR" }]',
            "web.toml:3: users[1].ssh_keys[1]: that is no public key of the OpenSSH form, "
            "as ~/.ssh/id_ed25519.pub has it",
        ),
        (
            'type = "generalized"\n[[users]]\nname = "ada"',
            "web.toml:2: users: belongs to a specialized image: Azure names each machine of a generalized one",
        ),
        (
            '[[repositories]]\nname = "a"\ntype = "apt"\nurl = "https://a.example"\nkey = "no"\nsuites = ["s"]',
            "the spec has 2 errors:\n  web.toml:1: repositories[1]: the key 'components' is missing",
        ),
        (
            '[[repositories]]\nname = "a"\ntype = "rpm"\nurl = "ftp://a"\nkey = "k"',
            "web.toml:4: repositories[1].url: this will not do: a URL that begins with http:// or https:// and "
            "holds no user and no password",
        ),
        (
            '[[repositories]]\nname = "a"\ntype = "rpm"\nurl = "https://a"',
            "web.toml:1: repositories[1]: the key 'key' is missing",
        ),
        (
            '[first_boot]\nuser_data = "x"',
            "web.toml:2: first_boot.user_data: it must begin with #cloud-config, or with #! as a script does, "
            "or be an Ignition config for Flatcar",
        ),
        ('replace = ["commands"]', "web.toml:1: replace: there is nothing to replace without 'extends'"),
        ('extends = "no.toml"', "web.toml:1: extends: no.toml cannot be read: No such file or directory"),
        ('extends = "web.toml"', "web.toml:1: extends: specs go round in a circle: web.toml extends web.toml"),
        ("a = ", "web.toml:1: invalid value"),
    ],
)
def test_refuses_and_says_where_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setenv("KILN_CLEAR", "hunter2")
    if message.startswith("the spec has 2"):
        (tmp_path / "no").write_text("no key")
        text = text.replace('key = "no"', 'key = "no"\ntyp = 1')
        assert refusal(tmp_path, text).startswith(message)
    else:
        assert refusal(tmp_path, text) == message


def test_never_repeats_what_may_be_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILN_CLEAR", "hunter2")
    text = '[[users]]\nname = "a"\npassword_hash = { from_env = "KILN_CLEAR" }\n'
    assert "hunter2" not in refusal(tmp_path, text)
    url = '[[repositories]]\nname = "a"\ntype = "rpm"\nkey = "k"\nurl = "https://me:hunter2@a"\n'
    assert "hunter2" not in refusal(tmp_path, url)


def test_reports_all_errors_at_once_in_the_text_s_order(tmp_path: Path) -> None:
    spec(tmp_path, "nam = 1\n", "base.toml")
    lines = refusal(tmp_path, 'extends = "base.toml"\nb = 1\n[packages]\nc = 1\n').splitlines()
    assert lines[0] == "the spec has 3 errors:"
    assert [line.split(":")[0].strip() + line.split(":")[1] for line in lines[1:]] == [
        "base.toml1",
        "web.toml2",
        "web.toml4",
    ]


def test_names_an_image_by_its_key_or_its_file(tmp_path: Path) -> None:
    assert load(spec(tmp_path, "")).name == "web"
    assert load(spec(tmp_path, 'name = "other"')).name == "other"
    spec(tmp_path, 'name = "base"\n', "base.toml")
    assert load(spec(tmp_path, 'extends = "base.toml"')).name == "web"
    with pytest.raises(CallerError, match="say a 'name'"):
        load(spec(tmp_path, "", "my web!.toml"))


def test_refuses_a_spec_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="cannot be read: No such file"):
        load(tmp_path / "none.toml")


def test_refuses_a_circle_of_several(tmp_path: Path) -> None:
    spec(tmp_path, 'extends = "b.toml"', "a.toml")
    spec(tmp_path, 'extends = "a.toml"', "b.toml")
    with pytest.raises(
        CallerError, match=r"b.toml:1: extends: specs go round in a circle: a.toml extends b.toml extends"
    ):
        load(tmp_path / "a.toml")


BASE = """\
distro = "debian"
size = "4G"
timezone = "Etc/UTC"
[packages]
add = ["nano", "jq"]
remove = ["vim-tiny"]
[services]
enable = ["a", "b"]
[[files]]
path = "/etc/a"
content = "base"
[[files]]
path = "/etc/b"
content = "base"
[[commands]]
run = "first"
"""


def test_lays_one_spec_over_another(tmp_path: Path) -> None:
    spec(tmp_path, BASE, "base.toml")
    found = load(
        spec(
            tmp_path,
            'extends = "base.toml"\nsize = "5G"\n[packages]\nadd = ["vim-tiny", "curl"]\nremove = ["nano"]\n'
            '[services]\nmask = ["b"]\n[[files]]\npath = "/etc/a"\ncontent = "over"\n[[commands]]\nrun = "second"\n',
        )
    )
    assert (found.wishes.distro, found.wishes.size, found.timezone) == ("debian", 5 << 30, "Etc/UTC")
    assert found.packages == ("jq", "vim-tiny", "curl")
    assert found.removed == ("nano",)
    assert found.services == Services(enable=("a.service",), mask=("b.service",))
    assert {file.path: file.content.read() for file in found.files if file.content} == {
        "/etc/a": b"over",
        "/etc/b": b"base",
    }
    assert [command.words[-1] for command in found.commands] == ["first", "second"]


def test_drops_what_it_is_told_to_replace(tmp_path: Path) -> None:
    spec(tmp_path, BASE, "base.toml")
    text = 'extends = "base.toml"\nreplace = ["packages.add", "commands", "services"]\n[[commands]]\nrun = "only"\n'
    found = load(spec(tmp_path, text))
    assert (found.packages, found.removed, found.services) == ((), ("vim-tiny",), Services())
    assert [command.words[-1] for command in found.commands] == ["only"]


def test_takes_a_base_that_two_specs_extend_once(tmp_path: Path) -> None:
    spec(tmp_path, '[[commands]]\nrun = "base"\n', "base.toml")
    for name in ("one", "two"):
        spec(tmp_path, f'extends = "base.toml"\n[[commands]]\nrun = "{name}"\n', f"{name}.toml")
    found = load(spec(tmp_path, 'extends = ["one.toml", "two.toml"]'))
    assert [command.words[-1] for command in found.commands] == ["base", "one", "two"]


def test_finds_files_beside_the_spec_that_names_them(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    (inner / "www/sub").mkdir(parents=True)
    (inner / "www/index.html").write_text("hello")
    (inner / "www/index.html").chmod(0o600)
    (inner / "www/sub/run").write_text("#!/bin/sh")
    (inner / "www/sub/run").chmod(0o700)
    (inner / "www/link").symlink_to("index.html")
    spec(inner, '[[files]]\npath = "/srv/www"\nsource = "www"\nowner = "33"\n', "base.toml")
    found = load(spec(tmp_path, 'extends = "inner/base.toml"'))
    assert [(file.path, file.mode, file.owner, file.target) for file in found.files] == [
        ("/srv/www/index.html", 0o644, "33", ""),
        ("/srv/www/link", 0o644, "33", "index.html"),
        ("/srv/www/sub/run", 0o755, "33", ""),
    ]


def test_refuses_what_is_no_file_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    os.mkfifo(tmp_path / "www/pipe")
    message = refusal(tmp_path, '[[files]]\npath = "/srv/www"\nsource = "www"\n')
    assert message.endswith("it holds something that is neither a file nor a folder nor a link")


def test_notices_a_file_that_changed_since_it_was_planned(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    (file,) = load(spec(tmp_path, '[[files]]\npath = "/a"\nsource = "a"\n')).files
    assert file.content
    (tmp_path / "a").write_text("two")
    with pytest.raises(CallerError, match="changed while the image was built"):
        file.content.read()


SECRETS = """\
type = "specialized"
hostname = "a"
[[files]]
path = "/etc/token"
content = { from_env = "KILN_TOKEN" }
[[commands]]
run = "true"
environment = { TOKEN = { from_file = "token" }, PLAIN = "plain" }
[[users]]
name = "ada"
password_hash = { from_env = "KILN_HASH" }
[first_boot]
user_data = { from_file = "boot" }
"""


@pytest.fixture
def secretive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    monkeypatch.setenv("KILN_TOKEN", "hunter-one")
    monkeypatch.setenv("KILN_HASH", "$y$j9T$hunterhunter$threethree")
    (tmp_path / "token").write_text("hunter-two\n")
    (tmp_path / "boot").write_text("#!/bin/sh\necho hunter-four\n")
    return load(spec(tmp_path, SECRETS))


def test_keeps_secrets_out_of_a_value_s_representation(secretive: Spec) -> None:
    assert len(secretive.secrets) == 4
    assert "hunter" not in repr(secretive)


def test_carries_everything_in_its_letter(secretive: Spec) -> None:
    again = letter.read(letter.write(secretive))
    assert again == secretive
    assert again.secrets == secretive.secrets


def test_tells_secrets_apart_without_telling_them(secretive: Spec) -> None:
    (file,) = secretive.files
    other = replace(file, content=hidden(b"hunter-two", "environment variable KILN_TOKEN"))
    assert repr(other) != repr(file)
    assert hidden(b"x", "a") == hidden(b"x", "a")
    assert isinstance(file.content, Content)
    assert file.mode == 0o600


def test_writes_an_example_that_is_valid_as_it_stands(tmp_path: Path) -> None:
    found = load(write(tmp_path / "example.toml"))
    assert (found.name, found.wishes.distro, found.packages) == ("web", "debian", ("curl",))
    with pytest.raises(CallerError, match="is there already"):
        write(tmp_path / "example.toml")


def test_shows_every_key_in_its_example() -> None:
    from build.spec.kinds import Kind, ListOf, Table
    from build.spec.schema import SPEC_KEYS

    def keys(kind: Kind) -> set[str]:
        inner = kind.kind if isinstance(kind, ListOf) else kind
        return (
            {key for name, one in inner.keys.items() for key in (name, *keys(one))}
            if isinstance(inner, Table)
            else set()
        )

    words = keys(Table(SPEC_KEYS)) - {"signed_metadata"}
    assert {word for word in words if f"{word} =" not in EXAMPLE and f"[{word}]" not in EXAMPLE} == set()


def test_shows_valid_values_in_its_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What remains when all is uncommented are the files and variables that are the user's."""
    lines = (
        line.removeprefix("#") if line.startswith("#") and line[1:2] not in (" ", "") else line
        for line in EXAMPLE.splitlines()
    )
    (tmp_path / "base.toml").write_text("")
    message = refusal(tmp_path, "\n".join(line for line in lines if not line.startswith("hostname")))
    complaints = message.splitlines()[1:]
    assert complaints
    assert all("cannot be read" in one or "the environment has no" in one for one in complaints), message
