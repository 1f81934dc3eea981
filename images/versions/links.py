"""Makes the links that an archive of npm lists instead of holding them: links.py DIRECTORY."""

import json
import os
import sys

root = sys.argv[1]
with open(os.path.join(root, "pg-symlinks.json"), encoding="utf-8") as file:
    for link in json.load(file):
        target = os.path.join(root, os.path.relpath(link["target"], "native"))
        if not os.path.lexists(target):
            os.symlink(os.path.basename(link["source"]), target)
