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
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
)

var update = flag.Bool("update", false, "write the generated parts of the documentation")

// generated are the parts of documentation that are made from code. Each stands between
// <!-- NAME: made by go test ./test/lint -update --> and <!-- end of NAME -->.
var generated = []struct {
	file, name string
	text       func() string
}{
	{"README.md", "features", featureTable},
	{"apps/README.md", "devices", func() string { return topics("device", "what it is", devargs.Devices()) }},
	{"apps/README.md", "keys", func() string { return topics("key", "value", devargs.KeyTopics()) }},
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

// topics returns a table of what there is in the text of a port.
func topics(left, right string, list []devargs.Topic) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | %s |\n| --- | --- |\n", left, right)
	for _, t := range list {
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.Join(t.Words, "`, `"), t.Help)
	}
	return b.String()
}

// TestGrammarInPackageComment: the package comment of devargs has the grammar, word for
// word. With -update it is written there.
func TestGrammarInPackageComment(t *testing.T) {
	path := filepath.Join(top, "driver/devargs/doc.go")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for line := range strings.Lines(devargs.Grammar()) {
		want.WriteString(strings.TrimRight("//\t"+line, "\n\t") + "\n")
	}
	first, _, _ := strings.Cut(want.String(), "\n")
	before, rest, found := strings.Cut(string(b), first)
	_, after, closed := strings.Cut(rest, "//\n// # ")
	whole := before + want.String() + "//\n// # " + after
	switch {
	case !found || !closed:
		t.Fatal("the package comment has no grammar")
	case whole == string(b):
	case *update:
		if err := os.WriteFile(path, []byte(whole), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("the package comment is not the grammar: run go test ./test/lint -update")
	}
}
