#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time each. Changes nothing
# but Go's fuzz cache; a failing input is left in testdata/fuzz beside its test.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-20s}
grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do
	dir=$(dirname "$file")
	grep -o '^func Fuzz[A-Za-z0-9_]*' "$file" | while read -r _ name; do
		echo "== $dir $name"
		go test -run '^$' -fuzz "^${name}\$" -fuzztime "$time" "$dir"
	done
done
