#!/usr/bin/env python3
"""Writes what the program is made of, as SPDX 2.3 (JSON).

    make_sbom.py PROGRAM OUTPUT [--scratch-path DIR]

The Swift packages with their versions and revisions (the package manager's own list), and the system libraries that the
program loads, with the versions of their Debian packages. Equal inputs give equal bytes: the time is that of the commit.
"""

import argparse
import hashlib
import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Loaded when they are needed, so that `ldd` does not list them.
LOADED = ("libopenblas.so.0", "libedit.so.2")
LICENCES = {
    "libopenblas0": "BSD-3-Clause", "libopenblas0-pthread": "BSD-3-Clause", "libssl3": "Apache-2.0", "libhdf5-103-1": "BSD-3-Clause",
    "libzstd1": "BSD-3-Clause", "libdeflate0": "MIT", "libutf8proc2": "MIT", "libedit2": "BSD-3-Clause", "zlib1g": "Zlib",
}


def output(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout


def licence(checkout):
    for path in sorted(checkout.glob("LICEN[SC]E*")):
        text = path.read_text(errors="replace")[:400]
        if re.search("apache license", text, re.I):
            return "Apache-2.0"
        if re.search("MIT License|Permission is hereby granted", text):
            return "MIT"
    return "NOASSERTION"


def swift_packages(scratch):
    """Every package of the graph once, by name."""
    command = ["swift", "package", "--scratch-path", str(scratch), "show-dependencies", "--format", "json"]
    pins = {p["identity"]: p for p in json.loads((ROOT / "Package.resolved").read_text())["pins"]}
    found, left = {}, [json.loads(output(*command, cwd=ROOT))]
    while left:
        for package in left.pop()["dependencies"]:
            left.append(package)
            name = package["identity"]
            if name in pins:
                found[name] = {
                    "name": name, "versionInfo": package["version"],
                    "downloadLocation": f"git+{package['url']}@{pins[name]['state']['revision']}",
                    "licenseDeclared": licence(Path(package["path"])),
                }
    return [found[name] for name in sorted(found)]


def system_packages(program):
    """The Debian packages of the libraries that the program loads; those of the C library are the system itself."""
    paths = set(re.findall(r"=> (/\S+)", output("ldd", str(program))))
    listed = output("/sbin/ldconfig", "-p")
    for name in LOADED:
        found = re.search(rf"{re.escape(name)} .*=> (/\S+)", listed)
        if found:
            paths.add(found[1])
    names = set()
    for path in sorted(paths):
        # Where /lib is a link to /usr/lib, the package manager knows a file by either name.
        real = str(Path(path).resolve())
        for known in (real, real.removeprefix("/usr")):
            owner = subprocess.run(["dpkg", "-S", known], capture_output=True, text=True).stdout
            if owner:
                names.add(owner.split(":")[0])
                break
    packages = []
    for name in sorted(names):
        version = output("dpkg-query", "-W", "-f=${Version}", name)
        packages.append({
            "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION",
            "licenseDeclared": LICENCES.get(name, "NOASSERTION"),
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                "referenceLocator": f"pkg:deb/debian/{name}@{version}",
            }],
        })
    return packages


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--scratch-path", type=Path, default=ROOT / ".build")
    options = parser.parse_args()
    commit = output("git", "rev-parse", "HEAD", cwd=ROOT).strip()
    time = output("git", "show", "-s", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%cd", "HEAD", cwd=ROOT, env={"TZ": "UTC"}).strip()
    version = output(str(options.program), "--version").split()[0]
    digest = hashlib.sha256(options.program.read_bytes()).hexdigest()
    own = {
        "name": "spikingbrain", "versionInfo": version, "downloadLocation": "NOASSERTION", "licenseDeclared": "Apache-2.0",
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest}], "comment": f"commit {commit}",
    }
    packages = [own] + swift_packages(options.scratch_path) + system_packages(options.program)
    for package in packages:
        package["SPDXID"] = "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", package["name"])
        package.update(filesAnalyzed=False, licenseConcluded="NOASSERTION", copyrightText="NOASSERTION")
    document = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"spikingbrain-{version}",
        "documentNamespace": f"urn:spikingbrain:sbom:{digest}",
        "creationInfo": {"created": time, "creators": [f"Tool: spikingbrain-{version}"]},
        "packages": packages,
        "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": own["SPDXID"]}]
        + [
            {"spdxElementId": own["SPDXID"], "relationshipType": "DEPENDS_ON", "relatedSpdxElement": p["SPDXID"]}
            for p in packages[1:]
        ],
    }
    options.output.write_text(json.dumps(document, indent=2) + "\n")
    print(f"{options.output}: {len(packages)} packages")


if __name__ == "__main__":
    main()
