#!/usr/bin/env python3
"""Runs clang-tidy over our own sources and remembers what was clean.

A file is looked at again only when its preprocessed text or the configuration changed; results are
kept in the user's cache, so a fresh clone pays only for what differs.

usage: tidy.py [--root DIR] [--build build/debug] [--jobs N] [FILE ...]
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

OWN = ("libs/", "services/", "tools/", "tests/", "bench/", "examples/")
TIDY = "clang-tidy-14"
# What clang 14 must be told to read our sources: that it knows coroutines, which GCC's library asks for
# by a macro of its own, and that librdkafka's macros may be GNU C.
EXTRA = ("-Wno-unknown-warning-option", "-Wno-gnu-statement-expression", "-D__cpp_impl_coroutine=201902L",
         "-DBOOST_ASIO_HAS_CO_AWAIT=1", "-DBOOST_ASIO_HAS_STD_COROUTINE=1")


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = pathlib.Path(base) / "countersign" / "tidy"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def own_commands(root, build, only):
    for command in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(command["file"])
        if not path.is_relative_to(root):
            continue
        relative = path.relative_to(root).as_posix()
        if relative.startswith(OWN) and (not only or relative in only):
            yield relative, command


def preprocessed(command):
    arguments = shlex.split(command["command"])
    if "ccache" in arguments[0]:
        arguments = arguments[1:]
    position = arguments.index("-o")
    del arguments[position : position + 2]
    arguments.remove("-c")
    result = subprocess.run(arguments + ["-E", "-P"], cwd=command["directory"], capture_output=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(result.stderr.decode(errors="replace"))
    return result.stdout


def look_at(root, relative, command, build, configuration):
    try:
        text = preprocessed(command)
    except RuntimeError as error:
        return relative, f"does not preprocess:\n{error}", False
    # Line numbers and NOLINT comments are gone from preprocessed text: the source itself counts too.
    digest = hashlib.sha256(configuration + text + (root / relative).read_bytes()).hexdigest()
    known = cache_folder() / digest
    if known.exists():
        return relative, "", True
    result = subprocess.run(
        [TIDY, "--quiet", "-p", str(build), relative, *(f"--extra-arg={word}" for word in EXTRA)],
        cwd=root, capture_output=True, text=True, check=False)
    if result.returncode == 0 and "warning:" not in result.stdout:
        known.touch()
        return relative, "", False
    return relative, result.stdout + result.stderr, False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--build", default="build/debug", help="folder below the root with compile_commands.json")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    build = root / arguments.build
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    configuration = version + b"".join(f.read_bytes() for f in sorted(root.rglob(".clang-tidy")) if "build" not in f.relative_to(root).parts)
    work = list(own_commands(root, build, set(arguments.files)))
    failed = remembered = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        looks = [pool.submit(look_at, root, relative, command, build, configuration) for relative, command in work]
        for done, look in enumerate(concurrent.futures.as_completed(looks), 1):
            relative, complaint, from_cache = look.result()
            remembered += from_cache
            if complaint:
                failed += 1
                print(f"{relative}\n{complaint}", flush=True)
            elif sys.stdout.isatty():
                print(f"\rtidy: {done}/{len(work)}", end="", flush=True)
    print(f"\ntidy: {len(work)} files, {remembered} known clean, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
