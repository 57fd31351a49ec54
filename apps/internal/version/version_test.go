package version

import (
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

func TestFromBuild(t *testing.T) {
	settings := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
			{Key: "vcs.modified", Value: modified},
		}
	}
	for want, info := range map[string]debug.BuildInfo{
		"v1.2.3":                {Main: debug.Module{Version: "v1.2.3"}, Settings: settings("true")},
		"0123456789ab":          {Main: debug.Module{Version: "(devel)"}, Settings: settings("false")},
		"0123456789ab+modified": {Settings: settings("true")},
		"development":           {},
	} {
		if got := fromBuild(&info); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestStamp: the variable that the Makefile and the release name is the one that
// a command prints.
func TestStamp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vhostdev")
	const stamp = "-X github.com/virtio-pmd/virtio-pmd/apps/internal/version.stamped=v1.2.3-test"
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags", stamp, "-o", file, "../../vhostdev")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(file, "--version").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "vhostdev version v1.2.3-test" {
		t.Errorf("--version prints %q, %v", out, err)
	}
}
