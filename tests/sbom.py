#!/usr/bin/env python3
"""The bill of materials in a package against what was locked and what is in the program. Needs no network.

    python3 tests/sbom.py target/debian/prepaid-gateway_VERSION_ARCH.deb

The bill is made from `cargo tree`; here it is compared with the units cargo compiles, with Cargo.lock, and with the paths of source files that
the program itself carries in its messages. Its shape is that of CycloneDX 1.6's schema, as far as the bill uses it.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOC = "usr/share/doc/prepaid-gateway"
# The units are behind an option of cargo that is not for everybody yet.
UNSTABLE = dict(os.environ, RUSTC_BOOTSTRAP="1")
# Parts that are in no lock file: packaging/sbom names them by hand.
BY_HAND = {"sqlite", "rust-std"}


def cargo(*words):
    return json.loads(subprocess.run(["cargo", *words], cwd=ROOT, check=True, capture_output=True, text=True, env=UNSTABLE).stdout)


def compiled(target):
    """(name, version) of every crate whose library cargo would compile for the program on that target; nothing is compiled.

    Unlike its metadata, cargo's units know which features this program asks for, and which crates are for the compiling machine only.
    """
    graph = cargo("build", "--locked", "-p", "prepaid-gateway", "--release", "--target", target, "--unit-graph", "-Z", "unstable-options")
    units = graph["units"]
    seen, waiting = set(), list(graph["roots"])
    while waiting:
        at = waiting.pop()
        if at not in seen:
            seen.add(at)
            waiting += [needed["index"] for needed in units[at]["dependencies"]]
    identity = lambda unit: re.search(r"[#/]([A-Za-z0-9_-]+)[#@](\d[^#@]*)$", unit["pkg_id"]).groups()
    return {identity(unit) for at in seen if (unit := units[at])["platform"] == target and unit["mode"] == "build"}


def shaped(bill):
    """What CycloneDX 1.6 asks of the fields the bill has."""
    assert bill["bomFormat"] == "CycloneDX" and bill["specVersion"] == "1.6" and bill["version"] == 1
    uuid = r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    assert re.fullmatch(uuid, bill["serialNumber"]), bill["serialNumber"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", bill["metadata"]["timestamp"])
    parts = [bill["metadata"]["component"], *bill["components"]]
    for part in parts:
        assert part["type"] in ("application", "library") and part["name"] and part["version"] and part["licenses"], part
        assert part.get("scope", "required") in ("required", "excluded"), part
        assert all(entry["alg"] == "SHA-256" and re.fullmatch("[0-9a-f]{64}", entry["content"]) for entry in part.get("hashes", [])), part
        assert re.fullmatch(r"pkg:(cargo|generic|deb)/\S+@\S+", part.get("purl", part["bom-ref"])), part
    refs = [part["bom-ref"] for part in parts]
    assert len(refs) == len(set(refs)), "two parts of one reference"
    for entry in bill["dependencies"]:
        assert {entry["ref"], *entry["dependsOn"]} <= set(refs), entry
        assert len(entry["dependsOn"]) == len(set(entry["dependsOn"])), entry
    reached, waiting = set(), [refs[0]]
    needs = {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += needs.get(ref, [])
    assert reached == set(refs), f"nothing needs {sorted(set(refs) - reached)[:5]}"


def compared(bill, linked):
    """Every crate, nothing else, with the version, sum and licence that was locked."""
    of = lambda scope: {(part["name"], part["version"]) for part in bill["components"] if part["scope"] == scope and part["name"] not in BY_HAND}
    own = ("prepaid-gateway", bill["metadata"]["component"]["version"])
    assert of("required") | {own} == linked, f"linked: {sorted((of('required') | {own}) ^ linked)}"
    metadata = cargo("metadata", "--locked", "--format-version", "1")["packages"]
    licences = {(package["name"], package["version"]): package["license"] for package in metadata}
    macros = {(package["name"], package["version"]) for package in metadata if any("proc-macro" in part["kind"] for part in package["targets"])}
    assert macros & of("required") == set(), macros & of("required")
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    sums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in lock["package"]}
    for part in bill["components"]:
        key = (part["name"], part["version"])
        if part["name"] in BY_HAND:
            continue
        written = [entry["content"] for entry in part.get("hashes", [])]
        assert written == ([sums[key]] if sums[key] else []), part
        assert part["licenses"][0]["expression"].split() == re.sub(r"\s*/\s*", " OR ", licences[key]).split(), part
    assert BY_HAND <= {part["name"] for part in bill["components"]}


def carried(program, linked):
    """Crates whose source paths stand in the program, as its messages name them: all have to be in the bill, in that version."""
    paths = set(re.findall(rb"registry/src/[^/]+/([A-Za-z0-9_-]+)-(\d+\.\d+\.\d+[^/]*)/", program))
    seen = {(name.decode(), version.decode()) for name, version in paths}
    assert len(seen) > 20, f"only {len(seen)} crates name themselves: is the program stripped of its messages?"
    assert seen <= linked, f"in the program and not in the bill: {sorted(seen - linked)}"
    return len(seen)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["dpkg-deb", "-x", sys.argv[1], scratch], check=True)
        bill = json.loads(pathlib.Path(scratch, DOC, "sbom.cdx.json").read_text())
        notices = pathlib.Path(scratch, DOC, "third-party.txt").read_text()
        program = pathlib.Path(scratch, "usr/bin/prepaid-gateway").read_bytes()
    target = next(entry["value"] for entry in bill["metadata"]["component"]["properties"] if entry["name"] == "target")
    linked = compiled(target)
    shaped(bill)
    compared(bill, linked)
    named = carried(program, linked)
    lite = next(part["version"] for part in bill["components"] if part["name"] == "sqlite")
    assert lite.encode() in program, f"the program has no SQLite {lite}"
    for name, version in linked:
        if not name.startswith(("gateway-", "prepaid-", "meter-")):
            assert f"\n{name} {version}: " in notices, f"{name} {version} has no licence in third-party.txt"
    print(f"   bill of materials: {len(linked)} crates as locked, {named} of them seen in the program, SQLite {lite}; nothing else")


if __name__ == "__main__":
    main()
