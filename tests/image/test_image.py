"""The images that scripts/image has made: fetched by the code of those who are to run them, and the same wherever they are made."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tomllib
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).parents[2]
IMAGES = ROOT / "target/image"
SCRATCH = ROOT / "target/image-test"
PACKAGE = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
FILES = {
    "filter": ROOT / "target/wasm32-wasip1/release/gnomon.wasm",
    "serve": ROOT / "target/x86_64-unknown-linux-musl/release/gnomon",
}
NAMES = {"filter": "plugin.wasm", "serve": "gnomon"}


def output_of(*command, **options):
    return subprocess.run([*map(str, command)], check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def oras(*arguments, **options):
    return output_of(f"{os.environ['OCI']}/oras", *arguments, **options)


def layout(image):
    return f"{IMAGES / image}:{PACKAGE['version']}"


def config_of(image):
    return json.loads(oras("manifest", "fetch-config", "--oci-layout", layout(image)))


@contextlib.contextmanager
def first_line(*command):
    """The first line that a program prints, which then runs until the end."""
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def registry():
    with first_line(os.environ["PARTS"], "registry") as address:
        yield address


@pytest.fixture(scope="module")
def pushed(registry):
    """Where each image is, by digest, as scripts/image says."""
    commands = {"filter": "push", "serve": "push-serve"}
    return {
        image: output_of(ROOT / "scripts/image", command, "--http", f"{registry}/ml/{image}:1").splitlines()[-1]
        for image, command in commands.items()
    }


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The root file system of each image."""
    folder = tmp_path_factory.mktemp("roots")
    for image in FILES:
        output_of(f"{os.environ['OCI']}/umoci", "raw", "unpack", "--rootless", "--image", layout(image), folder / image)
    return folder


@pytest.mark.parametrize("agent", ["istio", "envoy-gateway"])
def test_agents_fetch_the_filter_that_was_built(agent, pushed, tmp_path):
    reference = pushed["filter"]
    # Istio's code tells what it does before.
    digest = output_of(os.environ["PARTS"], agent, reference, tmp_path / "fetched").splitlines()[-1]
    assert reference.endswith(f"@{digest}")
    assert (tmp_path / "fetched").read_bytes() == FILES["filter"].read_bytes()


def test_an_image_without_the_file_is_not_fetched(pushed, tmp_path):
    """Else the test above could not fail."""
    for agent in "istio", "envoy-gateway":
        command = [os.environ["PARTS"], agent, pushed["serve"], tmp_path / "fetched"]
        refusal = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        assert refusal.returncode == 1 and "plugin.wasm not found" in refusal.stderr


@pytest.mark.parametrize("image", FILES)
def test_an_image_comes_back_as_it_was_made(image, pushed, tmp_path):
    copy = f"{tmp_path / 'copy'}:1"
    oras("cp", "--no-tty", "--recursive", "--from-plain-http", pushed[image], "--to-oci-layout", copy)
    blobs = {file.name for file in (IMAGES / image / "blobs/sha256").iterdir()}
    assert {file.name for file in (tmp_path / "copy/blobs/sha256").iterdir()} == blobs
    assert pushed[image].endswith(oras("resolve", "--oci-layout", layout(image)).strip())


@pytest.mark.parametrize("image", FILES)
def test_an_image_is_one_file(image, unpacked):
    manifest = json.loads(oras("manifest", "fetch", "--oci-layout", layout(image)))
    assert [layer["mediaType"] for layer in manifest["layers"]] == ["application/vnd.oci.image.layer.v1.tar+gzip"]
    assert [file.relative_to(unpacked / image) for file in (unpacked / image).rglob("*")] == [pathlib.Path(NAMES[image])]
    assert (unpacked / image / NAMES[image]).read_bytes() == FILES[image].read_bytes()
    assert (unpacked / image / NAMES[image]).stat().st_mode & 0o777 == (0o755 if image == "serve" else 0o644)


@pytest.mark.parametrize("image", FILES)
def test_labels_say_what_it_is(image):
    config = config_of(image)
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["config"]["Labels"].items()}
    commit = output_of("git", "rev-parse", "HEAD", cwd=ROOT).strip()
    is_changed = output_of("git", "status", "--porcelain", cwd=ROOT) != ""
    assert labels["revision"] == commit + ("-dirty" if is_changed else "")
    assert {key: labels[key] for key in ("version", "description")} == {key: PACKAGE[key] for key in ("version", "description")}
    assert labels["licenses"] == PACKAGE["license"]
    assert labels["title"].startswith("Gnomon, the ")
    assert labels.get("source", "https://").startswith("https://") and "@" not in labels.get("source", "")
    assert {config["created"], *(step["created"] for step in config["history"])} == {"1970-01-01T00:00:00Z"}


@pytest.mark.parametrize("image, has, lacks", [("filter", "proxy-wasm", "tokio"), ("serve", "tokio", "proxy-wasm")])
def test_the_bill_of_materials_comes_with_the_image(image, has, lacks, pushed, tmp_path):
    found = json.loads(oras("discover", "--plain-http", "--format", "json", pushed[image]))
    [bill] = [referrer["reference"] for referrer in found["referrers"]]
    assert json.loads(oras("manifest", "fetch", "--plain-http", bill))["artifactType"] == "application/vnd.cyclonedx+json"
    oras("pull", "--no-tty", "--plain-http", "--output", tmp_path, bill)
    contents = json.loads((tmp_path / f"{image}.cdx.json").read_text())
    crates = {component["name"] for component in contents["components"]}
    # What only the compiler runs is in no file.
    assert has in crates and not crates & {lacks, "serde_derive", "syn", "proptest"}
    assert all(component["licenses"] and component["hashes"] for component in contents["components"])
    assert str(ROOT) not in json.dumps(contents)


def test_the_command_runs_without_any_library(unpacked):
    """In its image's root, as its image's user."""
    config = config_of("serve")["config"]
    assert config["User"] == "65532:65532"
    command = ["unshare", "--map-root-user", "chroot", unpacked / "serve"]
    if os.geteuid() == 0:
        command = ["chroot", f"--userspec={config['User']}", unpacked / "serve"]
        # Where pytest keeps its files only their owner may go.
        for folder in unpacked.parents[1], unpacked.parent, unpacked, unpacked / "serve":
            folder.chmod(0o755)
    assert "Answers webhooks" in output_of(*command, *config["Entrypoint"], "serve", "--help")
    options = ["serve", "--listen", "127.0.0.1:0", "--prometheus", "http://127.0.0.1:9"]
    with first_line(*command, *config["Entrypoint"], *options) as line:
        with urllib.request.urlopen(f"http://{line.split()[-1]}/livez", timeout=20) as answer:
            assert answer.status == 200


def elsewhere():
    """A copy of the project in another folder, with cargo's own files in another one, too."""
    shutil.rmtree(SCRATCH, ignore_errors=True)
    project, cargo = SCRATCH / "another/project", SCRATCH / "cargo"
    tracked = output_of("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")[:-1]
    for file in [*tracked, ".git"]:
        (project / file).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / file).is_dir() else shutil.copy2
        copy(ROOT / file, project / file, **({"symlinks": True} if copy is shutil.copytree else {}))
    (project / ".tools").mkdir()
    for tool in "scripts-oci", *(folder.name for folder in (ROOT / ".tools").glob("cargo-cyclonedx-*")):
        (project / ".tools" / tool).symlink_to(ROOT / ".tools" / tool)
    known = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo"))
    (cargo / "registry").mkdir(parents=True)
    # What was downloaded is at hand, but sources are unpacked anew.
    for entry in [*known.iterdir(), *(known / "registry").iterdir()]:
        if entry.name not in ("registry", "src"):
            (cargo / entry.relative_to(known)).symlink_to(entry)
    return project, cargo


def contents_of(layout):
    return {str(file.relative_to(layout)): file.read_bytes() for file in sorted(layout.rglob("*")) if file.is_file()}


def test_another_folder_makes_the_same_images():
    project, cargo = elsewhere()
    try:
        told = output_of("scripts/image", cwd=project, env=os.environ | {"CARGO_HOME": str(cargo), "GIT_OPTIONAL_LOCKS": "0"})
        for image in FILES:
            made, here = contents_of(project / "target/image" / image), contents_of(IMAGES / image)
            assert [name for name in here if made.get(name) != here[name]] == [] and made.keys() == here.keys()
            assert oras("resolve", "--oci-layout", layout(image)).strip() in told
    finally:
        shutil.rmtree(SCRATCH)


@pytest.mark.parametrize("arguments", [["pull"], ["push"], ["push", "registry.example.com/ml/gnomon"], ["push", "--http", "a/b:1", "c"]])
def test_a_wrong_call_is_refused(arguments):
    refusal = subprocess.run([ROOT / "scripts/image", *arguments], stderr=subprocess.PIPE, text=True)
    assert refusal.returncode == 2 and "--help" in refusal.stderr
