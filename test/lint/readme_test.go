package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmeProgram keeps the README's program the one that test/outside
// compiles and runs as a module of its own.
func TestReadmeProgram(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(top, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join(top, "test/outside/testdata/forward.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), strings.TrimSpace(string(program))) {
		t.Error("README.md does not contain test/outside/testdata/forward.go.txt as it is")
	}
}
