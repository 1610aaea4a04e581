#!/usr/bin/python3
"""The vendor's own client for Azure Blob storage, told by JSON on its input what to do.

{"url", "account", "key", "container", "do": "fill" (prefix, tree) | "put" (name, file) |
 "delete" (name) | "sas" (rights, seconds)}; "sas" prints the token. Keys go over the input, so that
they are in nobody's arguments.
"""

import datetime
import json
import pathlib
import sys

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas


def main():
    task = json.load(sys.stdin)
    service = BlobServiceClient(task["url"], credential=task["key"])
    container = service.get_container_client(task["container"])
    if task["do"] == "fill":
        try:
            container.create_container()
        except ResourceExistsError:
            pass
        tree = pathlib.Path(task["tree"])
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                name = f"{task['prefix']}/{path.relative_to(tree)}".lstrip("/")
                container.upload_blob(name, path.read_bytes(), overwrite=True)
    elif task["do"] == "put":
        container.upload_blob(task["name"], pathlib.Path(task["file"]).read_bytes(), overwrite=True)
    elif task["do"] == "delete":
        container.delete_blob(task["name"])
    else:
        end = datetime.datetime.utcnow() + datetime.timedelta(seconds=task["seconds"])
        print(generate_container_sas(
            task["account"], task["container"], account_key=task["key"],
            permission=ContainerSasPermissions.from_string(task["rights"]), expiry=end))


main()
