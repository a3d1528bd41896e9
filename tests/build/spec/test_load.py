"""Specs from files: what is refused, and in which words."""

from pathlib import Path

import pytest

from build.errors import CallerError
from build.spec import load
from tests.build.spec.texts import refusal, spec

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


def test_refuses_a_spec_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="cannot be read: No such file"):
        load(tmp_path / "none.toml")
