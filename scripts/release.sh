#!/usr/bin/env bash
# Builds the static commands for amd64 and arm64 with a version stamped in, and
# packs them.
#
#   scripts/release.sh [-n] VERSION
#     -n  show what would be built and do nothing
#
# Changes: bin/release, which is emptied first and then has an archive for each
# architecture, virtio-pmd-VERSION-linux-ARCH.tar.gz, and SHA256SUMS.
set -euo pipefail
cd "$(dirname "$0")/.."

show=no
while getopts nh option; do
  case $option in
    n) show=yes ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0"; [ "$option" = h ] && exit 0; exit 2 ;;
  esac
done
shift $((OPTIND - 1))

say() { printf 'release: %s\n' "$*" >&2; }

version=${1:-}
if ! [[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+([-+.][0-9A-Za-z.-]+)?$ ]]; then
  say "version \"$version\": not of the form v1.2.3; write: make release VERSION=v1.2.3"
  exit 2
fi

out=bin/release
if [ "$show" = yes ]; then
  say "would empty $out and build for linux/amd64 and linux/arm64: l2fwd testpmd vhostdev devbind"
  exit 0
fi
rm -rf "$out"
mkdir -p "$out"
for arch in amd64 arm64; do
  name=virtio-pmd-$version-linux-$arch
  say "building $name"
  mkdir "$out/$name"
  for command in l2fwd testpmd vhostdev devbind; do
    CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -buildvcs=false \
      -ldflags "-s -w -X github.com/virtio-pmd/virtio-pmd/apps/internal/version.stamped=$version" \
      -o "$out/$name/$command" "./apps/$command"
  done
  cp LICENSE README.md "$out/$name/"
  cp apps/README.md "$out/$name/COMMANDS.md"
  # The same sources and Go version give the same archive.
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime='1980-01-01 00:00Z' \
    -C "$out" -c "$name" | gzip -n >"$out/$name.tar.gz"
  rm -r "${out:?}/$name"
done
(cd "$out" && sha256sum ./*.tar.gz | sed 's, \./, ,' >SHA256SUMS)
say "done: $(cd "$out" && echo *)"
