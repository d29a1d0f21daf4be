"""Write app/static/manifest.json anew: what was vendored from npm, and the SHA-256 of every file.

To take a newer version: `npm pack swagger-ui-dist`, copy the files named in the manifest over the old ones, then
`python tools/vendor.py swagger-ui-dist=5.36.0`.
"""

import hashlib
import json
import sys
from pathlib import Path

STATIC = Path(__file__).parent.parent / "app" / "static"


def main() -> None:
    manifest = json.loads((STATIC / "manifest.json").read_text("utf-8"))
    versions = dict(argument.split("=", 1) for argument in sys.argv[1:])
    for package in manifest["packages"]:
        package["version"] = versions.get(package["name"], package["version"])
        folder = STATIC / package["folder"]
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        package["sha256"] = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    (STATIC / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
