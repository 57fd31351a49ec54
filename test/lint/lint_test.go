// Package lint keeps the rules of this module that no compiler keeps: which package
// imports which, where unsafe may stand, which words and rule IDs its text may use.
package lint

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A source is a Go file of this module.
type source struct {
	dir, path string
	test      bool
	text      []byte
	fset      *token.FileSet
	file      *ast.File
}

// top is the directory of the module.
const top = "../.."

// leastSources is well below the number of Go files: a search that finds fewer looks
// in the wrong place.
const leastSources = 400

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
				x, ok := f.X.(*ast.Ident)
				if !ok {
					break
				}
				logs := x.Name == "log" && slices.Contains(imports(s), "log")
				if logs || x.Name == "os" && f.Sel.Name == "Exit" {
					t.Errorf("%s: a package calls %s.%s", s.path, x.Name, f.Sel.Name)
				}
			}
			return true
		})
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
			f, ok := d.(*ast.FuncDecl)
			if ok && f.Doc == nil && f.Name.IsExported() && exportedReceiver(f) &&
				!wellKnown[f.Name.Name] {
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
	want := []string{"driver", "pci", "vfio", "hugepages", "apps", "scripts", "test",
		"go.mod", "go.sum", "Makefile", "README.md", "LICENSE", "bin"}
	entries, err := os.ReadDir(top)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(want, e.Name()) && !strings.HasPrefix(e.Name(), ".") {
			t.Errorf("unexpected top-level entry %s", e.Name())
		}
	}
}

// exportedReceiver reports whether f is a function, or a method of an exported type.
func exportedReceiver(f *ast.FuncDecl) bool {
	return f.Recv == nil || ast.IsExported(receiver(f))
}

// sources returns the Go files of this module, those of all platforms.
func sources(t *testing.T) []source {
	t.Helper()
	list, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < leastSources {
		t.Fatalf("%d Go files found; at least %d were expected", len(list), leastSources)
	}
	return list
}

// parsed parses the files once for all tests.
var parsed = sync.OnceValues(func() (list []source, err error) {
	err = filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		skip := d.Name() == "testdata" || d.Name() == "bin" ||
			strings.HasPrefix(d.Name(), ".") && name != top
		if d.IsDir() && skip {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		list = append(list, source{
			dir:  path.Dir(rel),
			path: rel,
			test: strings.HasSuffix(rel, "_test.go"),
			text: text,
			fset: fset,
			file: file,
		})
		return nil
	})
	return list, err
})
