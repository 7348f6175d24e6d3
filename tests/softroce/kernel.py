# SPDX-License-Identifier: BSD-3-Clause
"""A kernel that has soft-RoCE: Debian's, downloaded and unpacked into the user's cache folder, never installed.

The folder of a kernel is complete or not there: it is made under another name and renamed. Runs that need the same one at
the same time wait for the first.
"""
import contextlib
import fcntl
import lzma
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile

META_PACKAGE = "linux-image-amd64"  # the -cloud image has no rxe
# In the order in which they are loaded. rdma_rxe needs crc32_generic without saying so; those behind veth are librdmacm's.
MODULES = ("crc32_generic", "udp_tunnel", "ip6_udp_tunnel", "ib_core", "ib_uverbs", "rdma_rxe", "veth",
           "configfs", "ib_cm", "iw_cm", "rdma_cm", "rdma_ucm")
VMLINUX = "vmlinux"


class Unavailable(Exception):
    """Something that is needed cannot be had here; says what, and how to get it."""


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base, "verbcast", "softroce")


def find():
    """The folder with `vmlinux` and the modules, of the kernel that the package lists name; fetched when it is not there."""
    root = cache_folder()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with open(root / ".lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for left in root.glob("fetching-*"):  # by a run that was killed
                shutil.rmtree(left)
            return find_locked(root)
    except OSError as error:
        raise OSError(f"the kernel's folder: {error}; XDG_CACHE_HOME names another") from error


def find_locked(root):
    package = resolve(())
    if package and is_complete(root / "_".join(package)):
        return root / "_".join(package)
    cached = max(filter(is_complete, root.iterdir()), key=lambda each: each.stat().st_mtime, default=None)
    if cached and not package:  # without package lists nobody knows of a newer one
        return cached
    try:
        with tempfile.TemporaryDirectory(prefix="fetching-", dir=root) as folder:
            return fetch(package, pathlib.Path(folder), root)
    except Unavailable as reason:
        if not cached:
            raise
        print(f"softroce: using {cached.name}, since a newer one cannot be had: {reason}", file=sys.stderr)
        return cached


def is_complete(folder):
    return all((folder / name).is_file() for name in (VMLINUX, *(f"{each}.ko" for each in MODULES)))


def apt(program, *arguments, options=(), folder=None):
    try:
        return subprocess.run([program, *options, *arguments], check=True, text=True, cwd=folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout
    except FileNotFoundError as error:
        raise Unavailable(f"the kernel package {META_PACKAGE}: this is not Debian, {program} is missing") from error
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"the kernel package {META_PACKAGE}: {program} {arguments[0]}: {error.stderr.strip()}") from error


def resolve(options):
    """The name and version of the package behind the one that always names the newest; nothing when no list has it."""
    with contextlib.suppress(Unavailable):
        text = apt("apt-cache", "show", "--no-all-versions", META_PACKAGE, options=options)
        found = re.search(r"^Depends:.*?\b(linux-image-\S+) \(= ([^)]+)\)", text, re.MULTILINE)
        return found and found.groups()
    return None


def own_lists(folder):
    """Options for apt that keep new package lists there: those of the system are root's, and may be old or absent."""
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "archives" / "partial").mkdir(parents=True)
    options = ("-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}", "-o", "APT::Sandbox::User=root")
    apt("apt-get", "update", options=options)
    return options


def fetch(package, folder, root):
    print(f"softroce: fetching the kernel package behind {META_PACKAGE} into {root}, once", file=sys.stderr)
    options = ()
    try:
        if not package:
            raise Unavailable("no package list has it")
        apt("apt-get", "download", "=".join(package), folder=folder)
    except Unavailable:
        options = own_lists(folder)
        package = resolve(options)
        if not package:
            raise Unavailable(f"the kernel package {META_PACKAGE}: no package source has it") from None
        apt("apt-get", "download", "=".join(package), options=options, folder=folder)
    made = folder / "kernel"
    made.mkdir()
    unpack(next(folder.glob("*.deb")), made)
    final = root / "_".join(package)
    shutil.rmtree(final, ignore_errors=True)  # of another version of this script, which wanted less
    made.rename(final)
    return final


def unpack(package, folder):
    wanted = {f"{each}.ko" for each in MODULES}
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as unpacking:
        with tarfile.open(fileobj=unpacking.stdout, mode="r|") as files:
            for each in files:
                name = os.path.basename(each.name)
                if name in wanted:
                    (folder / name).write_bytes(files.extractfile(each).read())
                elif name.startswith("vmlinuz-"):
                    (folder / VMLINUX).write_bytes(vmlinux_of(files.extractfile(each).read()))
    if unpacking.returncode != 0 or not is_complete(folder):
        raise Unavailable(f"soft-RoCE: {package.name} is not the kernel package it should be")


def vmlinux_of(image):
    """The kernel in a bzImage, uncompressed: booted directly it need not unpack itself, which is slow without KVM.

    Documentation/x86/boot.rst: the offset of the payload counts from the protected-mode code, behind the set-up sectors.
    """
    sectors = image[0x1f1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (sectors + 1) * 512 + offset
    try:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(image[start:start + length])
    except lzma.LZMAError as error:
        raise Unavailable(f"a kernel that is compressed with xz: {error}") from error
