"""A program of creel on a Dask cluster: ADDRESS BINARY PROGRAM SOURCE..."""

import json
import sys

import creel_dask
from distributed import Client


def main():
    address, binary, program, *sources = sys.argv[1:]
    with Client(address) as client:
        for row in creel_dask.run(client, program, sources, creel=binary):
            print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
