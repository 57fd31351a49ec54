package lint

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

var update = flag.Bool("update", false, "write the generated parts of the documentation")

// generated are the parts of documentation that are made from code. Each stands between
// <!-- NAME: made by go test ./test/lint -update --> and <!-- end of NAME -->.
var generated = []struct {
	file, name string
	text       func() string
}{
	{"README.md", "features", featureTable},
	{"apps/README.md", "extended statistics", extendedTable},
}

// TestGenerated compares the generated parts of the documentation with the code, or writes
// them with -update.
func TestGenerated(t *testing.T) {
	for _, g := range generated {
		if g.name == "features" && runtime.GOARCH != "amd64" {
			continue // README is about amd64: elsewhere ORDER_PLATFORM is refused
		}
		path := filepath.Join(top, g.file)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		begin := fmt.Sprintf("<!-- %s: made by go test ./test/lint -update -->\n", g.name)
		before, rest, found := strings.Cut(string(b), begin)
		end := fmt.Sprintf("<!-- end of %s -->\n", g.name)
		have, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Errorf("%s has no part %s", g.file, g.name)
			continue
		}
		want := "\n" + g.text() + "\n"
		switch {
		case have == want:
		case *update:
			if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("the part %s of %s is not what the code says: run go test ./test/lint -update", g.name, g.file)
		}
	}
}

// featureTable returns a table of every feature bit and what the driver does with it.
func featureTable() string {
	var b strings.Builder
	b.WriteString("| bit | feature | accepted | what for, or why not |\n| ---: | --- | --- | --- |\n")
	for _, s := range driver.Features() {
		fmt.Fprintf(&b, "| %d | %v | %v | %s |\n", s.Feature, s.Feature, s.Acceptance, s.Reason)
	}
	return b.String()
}

// extendedTable returns a table of the extended statistics of a port.
func extendedTable() string {
	var b strings.Builder
	b.WriteString("| name | counts |\n| --- | --- |\n")
	for _, c := range (driver.Stats{Queues: make([]driver.QueueStats, 1)}).Extended() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.Replace(c.Name, "_q0_", "_qN_", 1), c.Help)
	}
	return b.String()
}
