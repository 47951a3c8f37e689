"""Writes the SBOM (CycloneDX) of one image: the crates whose code is in its file, each with version, licence and hash.

    sbom.py OUTPUT NAME TARGET [CARGO-OPTION...]

cargo-cyclonedx makes it. Two things are mended here: it lists procedural macros, which run in the compiler and whose code is in no file,
and it names this project by its folder, which would make the SBOM another one in every clone.
"""

import json
import os
import subprocess
import sys
from pathlib import Path


def output_of(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def linked(target: str, features: list[str]) -> set[tuple[str, str]]:
    """Name and version of each crate whose code is linked, this project's own among them."""
    tree = ["cargo", "tree", "--locked", "--edges", "normal,no-proc-macro", "--target", target, "--prefix", "none", "--no-dedupe"]
    words = [line.split() for line in output_of(*tree, "--format", "{p}", *features).splitlines()]
    return {(word[0], word[1].removeprefix("v")) for word in words}


def of_cyclonedx(target: str, features: list[str]) -> dict:
    # The tool writes beside Cargo.toml, and nowhere else.
    file = Path(f"gnomon-sbom-{os.getpid()}.json")
    command = ["cargo", "cyclonedx", "-qq", "--format", "json", "--spec-version", "1.5", "--no-build-deps", "--target", target]
    try:
        # With this variable set there is no serial number, and the time is this one.
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "0"}
        subprocess.run([*command, "--override-filename", file.stem, *features], check=True, env=environment)
        return json.loads(file.read_text())
    finally:
        file.unlink(missing_ok=True)


def main(output: str, name: str, target: str, *features: str) -> None:
    crates = linked(target, [*features])
    bill = of_cyclonedx(target, [*features])
    described = bill["metadata"]["component"]
    folder_reference = described["bom-ref"]
    # Of all that Cargo.toml can build, this is about one file.
    del described["components"]
    described["name"] = name
    described["purl"] = described["purl"].partition("?")[0]
    bill["components"] = [one for one in bill["components"] if (one["name"], one["version"]) in crates]
    kept = {folder_reference, *(one["bom-ref"] for one in bill["components"])}
    bill["dependencies"] = [
        {**one, "dependsOn": [other for other in one.get("dependsOn", []) if other in kept]}
        for one in bill["dependencies"]
        if one["ref"] in kept
    ]
    listed = {(one["name"], one["version"]) for one in bill["components"]} | {("gnomon", described["version"])}
    if listed != crates:
        sys.exit(f"sbom.py: cargo-cyclonedx and cargo tree disagree about {sorted(listed ^ crates)}")
    text = json.dumps(bill, indent=2).replace(json.dumps(folder_reference), json.dumps(described["purl"]))
    Path(output).write_text(text + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
