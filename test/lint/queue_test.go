package lint

import (
	"go/ast"
	"slices"
	"testing"
)

// TestQueuesDoNotKnowThePort keeps the arrows of package driver in one direction: the
// types of a queue, their fields and their methods do not refer to Port.
func TestQueuesDoNotKnowThePort(t *testing.T) {
	queues := []string{"queue", "RxQueue", "TxQueue"}
	seen := map[string]int{}
	for _, s := range sources(t) {
		if s.test || s.dir != "driver" {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok && slices.Contains(queues, ts.Name.Name) {
						seen[ts.Name.Name]++
						noPort(t, s, ts.Name.Name, ts)
					}
				}
			case *ast.FuncDecl:
				if of := receiver(d); slices.Contains(queues, of) {
					seen[of]++
					noPort(t, s, of+"."+d.Name.Name, d)
				}
			}
		}
	}
	for _, name := range queues {
		if seen[name] < 2 {
			t.Errorf("package driver has no type %s with methods", name)
		}
	}
}

// noPort complains about every mention of type Port below n.
func noPort(t *testing.T, s source, name string, n ast.Node) {
	t.Helper()
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == "Port" {
			t.Errorf("%s: %s refers to Port", s.fset.Position(id.Pos()), name)
		}
		return true
	})
}

// receiver returns the name of the type that f is a method of, "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
