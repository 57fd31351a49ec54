// Package version says which version of the module a command was built from.
package version

import "runtime/debug"

// stamped is what the linker puts in, as make build VERSION=v1.2.3 does:
//
//	go build -ldflags "-X github.com/virtio-pmd/virtio-pmd/apps/internal/version.stamped=v1.2.3"
var stamped string

// String returns the version: what was stamped in, else the module's tag, else
// the revision of the work tree.
func String() string {
	if stamped != "" {
		return stamped
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return fromBuild(info)
}

// fromBuild returns the version that the Go command recorded in a build.
func fromBuild(info *debug.BuildInfo) string {
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "+modified"
		}
	}
	switch {
	case info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	case revision != "":
		return revision[:min(12, len(revision))] + modified
	}
	return "development"
}
