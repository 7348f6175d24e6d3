# SPDX-License-Identifier: BSD-3-Clause
"""What runs in the virtual machine, as an archive for the kernel to unpack: programs, the libraries they need, modules."""
import glob
import os
import pathlib
import re
import shlex
import shutil
import stat
import subprocess

import kernel

PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/usr/libexec/busybox"
# Without these the machine does not start: program -> Debian package.
NEEDED = {"dash": "dash", "busybox": "busybox-static", "ip": "iproute2", "rdma": "iproute2",
          # Those of busybox run busybox's own `ip` in the place of the real one.
          "env": "coreutils", "timeout": "coreutils", "nohup": "coreutils", "xargs": "findutils",
          "setsid": "util-linux", "setpriv": "util-linux", "prlimit": "util-linux", "ibv_devices": "ibverbs-utils", "ibv_devinfo": "ibverbs-utils"}
# Those of them that are installed.
WELCOME = ("bash", "ibv_asyncwatch", "ibv_rc_pingpong", "ibv_uc_pingpong", "ibv_ud_pingpong", "ibv_srq_pingpong", "ping", "ss",
           "strace", "tcpdump", "ib_send_bw", "ib_send_lat", "rping", "mckey", "udaddy")
USERS = """root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/sh
tcpdump:x:72:72::/:/bin/sh
"""  # tcpdump gives up being root
GROUPS = "root:x:0:\nnogroup:x:65534:\ntcpdump:x:72:\n"


class Archive:
    """Writes a cpio archive of the kind `newc`: Documentation/driver-api/early-userspace/buffer-format.rst."""

    def __init__(self, file):
        self.file = file
        self.names = set()

    def add(self, path, mode, data=b"", device=(0, 0)):
        """A file by its path in the machine; the folders above it come by themselves. A second one of a name is left out."""
        name = path.strip("/")
        if name in self.names:
            return
        above = os.path.dirname(name)
        if above and above not in self.names:
            self.add(above, stat.S_IFDIR | 0o755)
        self.names.add(name)
        self.write_entry(name, mode, data, device)

    def write_entry(self, name, mode, data, device):
        # Inode, mode, user, group, links, time, size, device of the file system, device, length of the name, checksum.
        fields = (len(self.names), mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
        header = "070701" + "".join(f"{each:08x}" for each in fields) + name + "\0"
        self.write_padded(header.encode())
        self.write_padded(data)

    def write_padded(self, data):
        self.file.write(data)
        self.file.write(bytes(-len(data) % 4))

    def add_link(self, path, target):
        self.add(path, stat.S_IFLNK | 0o777, target.encode())

    def add_text(self, path, text, mode=0o644):
        self.add(path, stat.S_IFREG | mode, text.encode())

    def add_file(self, path, source, mode=0o755):
        self.add(path, stat.S_IFREG | mode, pathlib.Path(source).read_bytes())

    def end(self):
        self.write_entry("TRAILER!!!", 0, b"", (0, 0))
        self.file.flush()


def program(name, package):
    """Where a program of the host is."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise kernel.Unavailable(f"{name}, of the Debian package {package}: apt-get install {package}")
    return found


def provider():
    """The part of libibverbs that speaks to soft-RoCE, which it loads by itself."""
    libraries = glob.glob("/usr/lib/*/libibverbs/librxe-rdmav*.so")
    descriptions = glob.glob("/etc/libibverbs.d/rxe.driver")
    if not libraries or not descriptions:
        raise kernel.Unavailable("the verbs provider of rxe: apt-get install ibverbs-providers")
    return libraries[0], descriptions[0]


def libraries_of(files):
    """The shared libraries that programs load, as ldd finds them here; LD_LIBRARY_PATH counts."""
    listing = subprocess.run(["ldd", *files], check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    missing = re.findall(r"^\s+(\S+) => not found", listing, re.MULTILINE)
    if missing:
        raise FileNotFoundError(f"libraries of {', '.join(map(str, files))} are missing here: {' '.join(missing)}")
    return dict.fromkeys(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", listing, re.MULTILINE))


def is_system(library):
    return re.match(r"/(usr/)?lib(64|32)?/", library) is not None


def add_programs(archive, binaries):
    tools = [program(name, package) for name, package in NEEDED.items()]
    tools += filter(None, (shutil.which(name) for name in WELCOME))
    library, description = provider()
    for tool in tools:
        archive.add_file(f"/usr/bin/{os.path.basename(tool)}", tool)
    for binary in binaries:
        archive.add_file(f"/usr/local/bin/{os.path.basename(binary)}", binary, os.stat(binary).st_mode & 0o777)
    archive.add_file(library, library)
    archive.add_file(description, description, 0o644)
    for each in (*libraries_of([*tools, library]), *(libraries_of(binaries) if binaries else ())):
        # By the soname, which is what is asked for; with /lib a link to /usr/lib.
        known = re.sub("^/(usr/)?lib", "/usr/lib", each)
        archive.add_file(known if is_system(each) else f"/usr/local/lib/{os.path.basename(each)}", each)


def build(file, folder, binaries, command):
    """Writes the archive: `folder` has the kernel's modules, `binaries` go to PATH, `command` is what is to be run."""
    archive = Archive(file)
    for each in ("bin", "sbin", "lib", "lib64"):
        archive.add_link(each, f"usr/{each}")
    archive.add("/dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    for each in ("/proc", "/sys", "/run", "/root", "/tmp"):
        archive.add(each, stat.S_IFDIR | (0o1777 if each == "/tmp" else 0o755))
    archive.add_text("/etc/passwd", USERS)
    archive.add_text("/etc/group", GROUPS)
    archive.add_text("/etc/hosts", "127.0.0.1 localhost\n")
    archive.add_link("/usr/bin/sh", "dash")
    add_programs(archive, binaries)
    for index, name in enumerate(kernel.MODULES):
        archive.add_file(f"/modules/{index:02}-{name}.ko", folder / f"{name}.ko", 0o644)
    archive.add_text("/environment", f"export PATH={PATH} LD_LIBRARY_PATH=/usr/local/lib HOME=/root\n")
    archive.add_text("/command", f"exec {shlex.join(command)}\n")
    archive.add_file("/init", pathlib.Path(__file__).with_name("init"))
    archive.add_file("/usr/sbin/softroce-network", pathlib.Path(__file__).with_name("network"))
    archive.end()
