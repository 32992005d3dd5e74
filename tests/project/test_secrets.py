"""Test that credentials stay out of git, of the archive and of the image."""

import re
import subprocess
import tarfile

import pathspec
import pytest
from conftest import ROOT
from project.test_archive import clone, make  # noqa: F401

SECRET = "AKIAIOSFODNN7EXAMPLE"
# Tools look for credentials at these places, which a user may have in the checkout.
PLACES = (
    *(".dvc/config.local", ".env", ".env.local", ".netrc", "_netrc", ".git-credentials", ".pypirc", "pip.conf"),
    *("envs/pip.conf", "envs/.env", "id_ed25519", "server.key", "client.pem", ".aws/credentials", ".ssh/id_rsa"),
    *(".docker/config.json", "wandb/settings", "data/.netrc", "results/demo/.env"),
)
LOOKS_LIKE_ONE = re.compile(
    r"(?:access_key|access_key_id|api_?key|auth_?token|connection_string|credential|passw(?:or)?d|private_key|sas_token"
    r"|secret|secret_access_key|token)[\"']?\s*[=:]\s*[\"']?(?![\"'\s$<{(\[]|None\b)[\w/+.-]{8,}"
    r"|AKIA[0-9A-Z]{16}|gh[pousr]_\w{30}|-----BEGIN [A-Z ]*PRIVATE KEY|https?://[^/\s:@]+:[^/\s:@]+@",
    re.IGNORECASE,
)


def git(folder, *arguments):
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)


def test_no_file_in_git_holds_what_looks_like_a_credential():
    listed = git(ROOT, "ls-files", "-z")
    if listed.returncode:
        pytest.skip("no git clone")
    texts = {}
    for name in filter(None, listed.stdout.split("\0")):
        try:
            texts[name] = (ROOT / name).read_text()
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # the file is an image, or was removed without a commit
    found = {(name, match[0]) for name, text in texts.items() for match in LOOKS_LIKE_ONE.finditer(text)}
    assert len(texts) > 100
    assert {(name, text) for name, text in found if name != "tests/project/test_secrets.py"} == set()


@pytest.mark.parametrize(
    "text",
    [
        f"access_key_id = {SECRET}",
        "secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "password: hunter2hunter2",
        '"token": "0123456789abcdef"',
        "WANDB_API_KEY=0123456789abcdef0123456789abcdef01234567",
        "url = https://name:hunter2@example.org/simple",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "ghp_0123456789abcdefghijABCDEFGHIJ456789",
    ],
)
def test_the_search_finds_credentials(text):
    assert LOOKS_LIKE_ONE.search(text)


@pytest.fixture
def planted(clone):  # noqa: F811
    """Return a clone with a credential at every place, in which everything that git takes was committed."""
    for place in PLACES:
        (clone / place).parent.mkdir(parents=True, exist_ok=True)
        (clone / place).write_text(f"secret = {SECRET}\n")
    for name in (".gitignore", ".dvc/.gitignore"):
        (clone / name).write_text((ROOT / name).read_text())
    git(clone, "add", "-A")
    git(clone, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "--allow-empty", "-am", "all")
    return clone


def test_git_and_the_archive_take_no_credentials(planted, tmp_path):
    assert set(git(planted, "ls-files").stdout.split()) & set(PLACES) == set()
    done, (path,) = make(planted, tmp_path / "dist")
    assert done.returncode == 0, done.stderr
    with tarfile.open(path) as archive:
        files = {member.name.partition("/")[2]: archive.extractfile(member).read() for member in archive}
    assert set(files) & set(PLACES) == set()
    assert "README.md" in files
    holding = {name for name, content in files.items() if SECRET.encode() in content}
    assert holding <= {"tests/project/test_secrets.py"}


def test_the_builder_of_the_image_sees_nothing_but_lists_of_packages(planted):
    """Apply the patterns of .dockerignore; integration/test_build_context.py asks a real builder."""
    ignored = pathspec.GitIgnoreSpec.from_lines((ROOT / ".dockerignore").read_text().splitlines())
    files = [str(path.relative_to(planted)) for path in planted.rglob("*") if path.is_file()]
    seen = [name for name in files if not ignored.match_file(name) and not name.startswith(".git/")]
    assert "envs/requirements.lock" in seen
    assert set(PLACES) <= set(files)
    assert [name for name in seen if not re.fullmatch(r"envs/[a-z]+\.(txt|lock)", name)] == []


def test_the_image_is_given_no_credentials():
    """Check arguments and variables of the build, because everybody can read them in the image."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    given = [line.split(maxsplit=1)[1] for line in lines if line.startswith(("ARG ", "ENV "))]
    assert [text for text in given if re.search(r"key|pass|secret|token|user|index|proxy", text, re.IGNORECASE)] == []
    script = (ROOT / "envs" / "build-image.sh").read_text()
    names = re.findall(r"--build-arg \"(\w+)=", script)
    assert sorted(names) == ["REQUIREMENTS", "REVISION", "SOURCE", "VERSION"]
