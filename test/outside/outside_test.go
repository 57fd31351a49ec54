// Package outside checks that the driver can be used by a program outside
// this module, which sees what is exported and nothing more.
package outside

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestForwardFromAnotherModule builds the README's program in a module of its
// own and runs it: it forwards a million packets between two software devices.
func TestForwardFromAnotherModule(t *testing.T) {
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/virtio-pmd/virtio-pmd"
	write(t, filepath.Join(dir, "go.mod"), "module example.org/forward\n\ngo 1.26\n\nrequire "+
		module+" v0.0.0\n\nreplace "+module+" => "+root+"\n")
	write(t, filepath.Join(dir, "main.go"), read(t, "testdata/forward.go.txt"))
	write(t, filepath.Join(dir, "go.sum"), read(t, filepath.Join(root, "go.sum")))

	// -mod=mod lets go complete go.mod with what the driver itself requires.
	run(t, dir, "go", "build", "-mod=mod", "-o", "forward", ".")
	if out := run(t, dir, "./forward"); !strings.Contains(out, "forwarded 1,000,000 packets") {
		t.Errorf("the program ended without saying that it forwarded: %q", out)
	}
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
