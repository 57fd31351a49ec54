#!/usr/bin/env bash
# Fetches the kernel that test guests boot, and builds the vfio module with
# no-IOMMU mode that Debian's kernel leaves out. Nothing is installed: packages
# are downloaded and unpacked, the results go into the cache directory.
#
#   scripts/guest-kernel.sh [-n] [-f]
#     -n  show what would be done and do nothing
#     -f  fetch again although the cache has a kernel
#
# Changes: $VIRTIO_PMD_CACHE/kernel (default: .cache/kernel in the repository),
# and a directory under $TMPDIR that is removed at the end.
# Needs: apt-get and dpkg-deb (Debian or Ubuntu), gcc, make, xz, the libraries
# libelf and libssl; scripts/deps.sh installs them. Root is not needed.
# Environment: VIRTIO_PMD_CACHE, and VIRTIO_PMD_MIRROR, the Debian mirror that
# is used where the machine's own package lists do not have the kernel.
set -euo pipefail

suite=bookworm
series=6.1
mirror=${VIRTIO_PMD_MIRROR:-http://deb.debian.org}
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${VIRTIO_PMD_CACHE:-$root/.cache}
show=no
force=no

while getopts nfh option; do
  case $option in
    n) show=yes ;;
    f) force=yes ;;
    *) sed -n '2,17s/^# \{0,1\}//p' "$0"; [ "$option" = h ] && exit 0; exit 2 ;;
  esac
done

say() { printf 'guest-kernel: %s\n' "$*" >&2; }

if [ "$force" = no ] && [ -e "$cache/kernel/current/vfio-noiommu.ko" ]; then
  say "$cache/kernel has $(readlink "$cache/kernel/current"), nothing to do"
  exit 0
fi
if [ "$show" = yes ]; then
  say "would download from Debian $suite: linux-image-*-cloud-amd64, linux-headers-* (2), linux-kbuild-$series, linux-source-$series (about 180 MB)"
  say "would unpack them in a temporary directory and build drivers/vfio/vfio.ko with CONFIG_VFIO_NOIOMMU"
  say "would put vmlinuz, the modules and vfio-noiommu.ko into $cache/kernel (about 110 MB)"
  exit 0
fi

missing=()
for tool in apt-get dpkg-deb gcc make xz tar; do
  command -v "$tool" >/dev/null || missing+=("$tool")
done
if [ ${#missing[@]} -gt 0 ]; then
  say "missing: ${missing[*]}; scripts/deps.sh installs what is needed"
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work" # apt downloads as a user of its own

# The machine's own package lists are used if they know the kernel; otherwise
# lists of our own, which leave the machine's alone.
apt=(-o APT::Sandbox::User=root)
own_lists() {
  local keys=/usr/share/keyrings/debian-archive-keyring.gpg
  if [ ! -e "$keys" ]; then
    say "missing: $keys (package debian-archive-keyring); scripts/deps.sh installs it"
    exit 1
  fi
  mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
  printf 'deb [arch=amd64 signed-by=%s] %s %s main\n' \
    "$keys" "$mirror/debian" "$suite" "$keys" "$mirror/debian-security" "$suite-security" >"$work/apt/sources.list"
  apt+=(-o "Dir::Etc::SourceList=$work/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$work/apt/lists" -o "Dir::Cache=$work/apt/cache"
    -o Dir::State::Status=/dev/null -o APT::Architecture=amd64 -o APT::Architectures::=amd64)
  say "fetching the package lists of Debian $suite from $mirror"
  apt-get "${apt[@]}" -qq update
}

# image prints the name of the kernel package that is current.
image() {
  apt-cache "${apt[@]}" depends linux-image-cloud-amd64 2>/dev/null |
    sed -n "s/^ *Depends: \(linux-image-${series/./\\.}\..*-cloud-amd64\)$/\1/p" | head -n 1
}

# fetch downloads the packages of kernel release $1. What an attempt that ended
# half-way has left would be unpacked with the packages of the next one.
fetch() {
  local version
  rm -f "$work"/*.deb
  version=$(apt-cache "${apt[@]}" show "linux-image-$1" | sed -n 's/^Version: //p' | head -n 1)
  say "downloading the packages of $1, version $version"
  (cd "$work" && apt-get "${apt[@]}" -qq download \
    "linux-image-$1" "linux-headers-$1" "linux-headers-${1%-cloud-amd64}-common" \
    "linux-kbuild-$series" "linux-source-$series=$version")
}

name=$(image || true)
if [ -z "$name" ] || [ -z "$(apt-cache show "linux-source-$series" 2>/dev/null)" ] || ! fetch "${name#linux-image-}"; then
  own_lists
  name=$(image || true)
  if [ -z "$name" ]; then
    say "no linux-image-$series-*-cloud-amd64 at $mirror"
    exit 1
  fi
  fetch "${name#linux-image-}"
fi
release=${name#linux-image-}

say "unpacking"
unpacked=$work/unpacked
for package in "$work"/linux-image-*.deb "$work"/linux-headers-*.deb "$work"/linux-kbuild-*.deb; do
  dpkg-deb -x "$package" "$unpacked"
done
mkdir "$work/source"
dpkg-deb --fsys-tarfile "$work"/linux-source-*.deb |
  tar -xO --wildcards '*/linux-source-*.tar.xz' |
  tar -xJ -C "$work/source" --strip-components=1 --wildcards '*/drivers/vfio/*'

say "building vfio.ko with no-IOMMU mode"
headers=$unpacked/usr/src/linux-headers-$release
sed -i "s,/usr/src,$unpacked/usr/src," "$headers/Makefile"
compiler=$(command -v gcc-12 || command -v gcc)
mkdir "$work/noiommu"
cp "$work"/source/drivers/vfio/{vfio_main.c,iova_bitmap.c,container.c,vfio.h} "$work/noiommu/"
cat >"$work/noiommu/Kbuild" <<'KBUILD'
ccflags-y := -DCONFIG_VFIO_NOIOMMU=1
obj-m := vfio.o
vfio-y := vfio_main.o iova_bitmap.o container.o
KBUILD
if ! make -C "$headers" M="$work/noiommu" CC="$compiler" modules >"$work/make.log" 2>&1; then
  cat "$work/make.log" >&2
  exit 1
fi

# A half-filled cache must not be taken for a whole one: fill a directory
# aside, then let the link name it.
say "filling $cache/kernel"
new=$cache/kernel/$release
rm -rf "$new.new" "$new"
mkdir -p "$new.new"
cp "$unpacked/boot/vmlinuz-$release" "$new.new/vmlinuz"
cp "$unpacked/boot/config-$release" "$new.new/config"
cp -r "$unpacked/lib/modules/$release/kernel" "$new.new/modules"
find "$new.new/modules" -name '*.ko.xz' -exec xz -d {} +
strip --strip-debug -o "$new.new/vfio-noiommu.ko" "$work/noiommu/vfio.ko"
mv "$new.new" "$new"
ln -sfn "$release" "$cache/kernel/current"
say "done: $release"
