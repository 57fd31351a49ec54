#!/usr/bin/env bash
# Installs what building and testing need beside Go, on Debian or Ubuntu.
#
#   scripts/deps.sh [-n]
#     -n  show what would be installed and do nothing
#
# Changes: installs packages with apt-get, if something is missing and the user
# is root; otherwise it names the packages and ends with status 1. Nothing is
# removed or configured. What guests boot from is fetched by guest-kernel.sh.
set -euo pipefail

show=no
while getopts nh option; do
  case $option in
    n) show=yes ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0"; [ "$option" = h ] && exit 0; exit 2 ;;
  esac
done

say() { printf 'deps: %s\n' "$*" >&2; }

# Distributions have an older Go; one of 1.21 or later fetches what go.mod asks for.
go=$(cd "$(dirname "$0")/.." && GOTOOLCHAIN=${GOTOOLCHAIN:-auto} go env GOVERSION 2>/dev/null) || go=none
case $go in
  go1.2[6-9]* | go1.[3-9][0-9]*) ;;
  *) say "Go 1.26 or later is needed, from https://go.dev/dl; here: $go"; exit 1 ;;
esac

packages=()
# need PACKAGE TEST...: the package is missing if the test fails.
need() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || packages+=("$package")
}
libraries=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p)
library() { grep -q -F "$1 " <<<"$libraries"; }

# Modules come over HTTPS.
need ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
# The guests.
need qemu-system-x86 command -v qemu-system-x86_64
# The guests' kernel: downloading, unpacking, building one module.
need debian-archive-keyring test -e /usr/share/keyrings/debian-archive-keyring.gpg
need xz-utils command -v xz
need make command -v make
need binutils command -v strip
need libelf1 library libelf.so.1
need libssl3 library libcrypto.so.3
# The peer of the vhost-user tests.
need dpdk-dev command -v dpdk-testpmd
# What compiles against it: the measurement of cycles.
need libdpdk-dev test -e /usr/include/dpdk/rte_ethdev.h
need pkg-config command -v pkg-config
# Its tool for binding functions, whose options devbind takes.
need dpdk command -v dpdk-devbind.py
# What drives dpdk-testpmd and ours at a prompt.
need python3-pexpect /usr/bin/python3 -c 'import pexpect'
# The terminal in which tests press keys.
need tmux command -v tmux
# The reports of pktgen are looked at in a browser. Ubuntu has it as a snap only,
# which cannot open the files of a test.
grep -q '^ID=ubuntu' /etc/os-release || need chromium command -v chromium
# What looks at generated and at replayed packets.
need tshark command -v tshark
# That measurement, the guests' module, and Go's race detector.
need gcc command -v gcc
need libc6-dev test -e /usr/include/stdio.h

if [ ${#packages[@]} -eq 0 ]; then
  say "everything is there"
  exit 0
fi
if [ "$show" = yes ]; then
  say "would run: apt-get install ${packages[*]}"
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  say "missing: as root, run: apt-get install ${packages[*]}"
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  say "missing, and there is no apt-get: install what Debian calls ${packages[*]}"
  exit 1
fi
say "installing ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
install=(apt-get -qq install -y --no-install-recommends "${packages[@]}")
# The package lists of a fresh container are empty, and old ones name files
# that are gone.
"${install[@]}" >/dev/null 2>&1 || { apt-get -qq update && "${install[@]}" >/dev/null; }
