// Package lint keeps the rules of the house that no compiler keeps: who may
// import whom, where unsafe may stand, how long a file may be.
package lint

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/virtio-pmd/virtio-pmd/"

// allowed lists, for each package of the library, what else of this module its
// code may import. Test files may import more: they speak to the software device.
var allowed = map[string][]string{
	"pci":                        {},
	"pci/sysfs":                  {"pci"},
	"pci/sysfs/sysfstest":        {"pci", "pci/sysfs"},
	"hugepages":                  {},
	"vfio":                       {"pci", "pci/sysfs", "hugepages"},
	"driver/virtio":              {},
	"driver/internal/stat":       {},
	"driver/internal/gate":       {},
	"driver/mbuf":                {"hugepages", "driver/internal/stat"},
	"driver/internal/virtq":      {"driver/virtio", "driver/mbuf", "driver/internal/stat"},
	"driver/internal/ctrlq":      {"driver/virtio", "driver/internal/virtq"},
	"driver/lcore":               {"driver/internal/stat"},
	"driver/transport":           {"driver/virtio", "hugepages"},
	"driver/transport/vpci":      {"driver/transport", "driver/virtio", "hugepages", "pci"},
	"driver/transport/vhostuser": {"driver/transport", "driver/virtio", "hugepages"},
	"driver":                     {"driver/virtio", "driver/internal/virtq", "driver/internal/ctrlq", "driver/internal/gate", "driver/mbuf", "driver/internal/stat", "driver/transport", "hugepages"},
	"driver/vdev":                {"driver/virtio"},
	"driver/vdev/wire":           {"driver/vdev"},
	"driver/vdev/pcifn":          {"driver/vdev", "driver/virtio", "pci"},
	"driver/vdev/vhostback":      {"driver/vdev", "driver/vdev/wire", "driver/virtio", "driver/internal/stat"},
	"driver/devargs": {"driver", "driver/transport/vhostuser", "driver/vdev/vhostback", "driver/mbuf", "driver/virtio", "driver/transport", "driver/transport/vpci", "driver/vdev",
		"driver/vdev/pcifn", "driver/vdev/wire", "hugepages", "pci", "pci/sysfs", "vfio"},
}

const (
	maxFile     = 500
	maxTestFile = 800
)

type source struct {
	dir, path string
	test      bool
	text      []byte
	file      *ast.File
}

func TestDependencyDirection(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		if !strings.HasPrefix(s.dir, "apps") && !strings.HasPrefix(s.dir, "test") {
			may, known := allowed[s.dir]
			if !known {
				t.Errorf("%s: package %s is not in the list of allowed imports", s.path, s.dir)
				continue
			}
			for _, imported := range ours(s) {
				if !slices.Contains(may, imported) {
					t.Errorf("%s imports %s; %s may import %v", s.path, imported, s.dir, may)
				}
			}
			continue
		}
		for _, imported := range ours(s) {
			if strings.HasPrefix(imported, "test") && !strings.HasPrefix(s.dir, "test") {
				t.Errorf("%s imports %s", s.path, imported)
			}
		}
	}
}

func TestUnsafeOnlyInUnsafeFiles(t *testing.T) {
	for _, s := range sources(t) {
		if slices.Contains(imports(s), "unsafe") && !strings.Contains(filepath.Base(s.path), "_unsafe") {
			t.Errorf("%s imports unsafe but is not named *_unsafe*.go", s.path)
		}
	}
}

func TestNoPanicNoFatalInPackages(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || strings.HasPrefix(s.dir, "apps") || strings.HasPrefix(s.dir, "test") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch f := call.Fun.(type) {
			case *ast.Ident:
				if f.Name == "panic" {
					t.Errorf("%s: a package calls panic", s.path)
				}
			case *ast.SelectorExpr:
				if x, ok := f.X.(*ast.Ident); ok && (x.Name == "log" && slices.Contains(imports(s), "log") || x.Name == "os" && f.Sel.Name == "Exit") {
					t.Errorf("%s: a package calls %s.%s", s.path, x.Name, f.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestFileLength(t *testing.T) {
	for _, s := range sources(t) {
		limit := maxFile
		if s.test {
			limit = maxTestFile
		}
		if lines := bytes.Count(s.text, []byte("\n")); lines > limit {
			t.Errorf("%s has %d lines; the limit is %d", s.path, lines, limit)
		}
	}
}

func TestFormatted(t *testing.T) {
	for _, s := range sources(t) {
		want, err := format.Source(s.text)
		if err != nil {
			t.Errorf("%s: %v", s.path, err)
		} else if !bytes.Equal(want, s.text) {
			t.Errorf("%s is not formatted: gofmt -w %s", s.path, s.path)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.file.Name.Name == "main" {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Doc == nil && f.Name.IsExported() && exportedReceiver(f) && !wellKnown[f.Name.Name] {
				t.Errorf("%s: exported %s has no comment", s.path, f.Name.Name)
			}
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE && g.Doc == nil {
				for _, spec := range g.Specs {
					if ts := spec.(*ast.TypeSpec); ts.Name.IsExported() && ts.Doc == nil {
						t.Errorf("%s: exported type %s has no comment", s.path, ts.Name.Name)
					}
				}
			}
		}
	}
}

// wellKnown methods mean the same on every type.
var wellKnown = map[string]bool{"Error": true, "Unwrap": true, "String": true, "Is": true}

func TestTopLevelEntries(t *testing.T) {
	want := map[string]bool{"driver": true, "pci": true, "vfio": true, "hugepages": true, "apps": true, "scripts": true,
		"test": true, "go.mod": true, "go.sum": true, "Makefile": true, "README.md": true, "LICENSE": true, "bin": true}
	entries, err := os.ReadDir(root(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !want[e.Name()] && !strings.HasPrefix(e.Name(), ".") {
			t.Errorf("unexpected top-level entry %s", e.Name())
		}
	}
}

func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	id, ok := t.(*ast.Ident)
	return ok && id.IsExported()
}

func imports(s source) []string {
	var list []string
	for _, i := range s.file.Imports {
		if path, err := strconv.Unquote(i.Path.Value); err == nil {
			list = append(list, path)
		}
	}
	return list
}

func ours(s source) []string {
	var list []string
	for _, path := range imports(s) {
		if rest, ok := strings.CutPrefix(path, module); ok {
			list = append(list, rest)
		}
	}
	return list
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func sources(t *testing.T) []source {
	t.Helper()
	top := root(t)
	var list []source
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(top, path)
		list = append(list, source{dir: filepath.ToSlash(filepath.Dir(rel)), path: rel, test: strings.HasSuffix(path, "_test.go"), text: text, file: file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("no Go files found")
	}
	return list
}
