package lint

import (
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rulesFile lists what rule IDs stand for.
const rulesFile = "test/conformance/rules.md"

var (
	// ruleID is what IDs of rules, faults and promises look like. An import path
	// or a file's has something in front of it.
	ruleID = regexp.MustCompile(`(?:^|[^\w./-])(` +
		`(?:basic|split|packed|pci|net|vu|admin)/[a-z][a-z-]*/\d+` +
		`|(?:fault|promise)/\d+` +
		`|x/[a-z][a-z0-9-]*(?:/[a-z][a-z0-9-]*)?)\b`)
	// ruleRange stands for the IDs between two as well: "fault/1 to fault/5".
	ruleRange = regexp.MustCompile(`([a-z][a-z/-]*/)(\d+) to ([a-z][a-z/-]*/)(\d+)`)
	// ruleRow is a row of the file.
	ruleRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|(.*)\\|$")
	// ruleLike is a string that is made as IDs are, whatever it begins with.
	ruleLike = regexp.MustCompile(`^[a-z]+(/[a-z][a-z0-9-]*)+(/\d+)?$`)
	// unfinished is the beginning of an ID that the program completes.
	unfinished = regexp.MustCompile(`^(basic|split|packed|pci|net|vu|admin)/[a-z][a-z-]*/$|^(fault|promise)/$|^x/([a-z-]+/)?$`)
)

// Floors, well below what there is: a search that finds less looks in the wrong
// place.
const (
	leastRules      = 150
	leastNamed      = 400
	leastViolations = 60
)

// TestRulesResolve compares the IDs that Go sources name with those of rulesFile.
func TestRulesResolve(t *testing.T) {
	listed := listedRules(t)
	named, count := map[string]string{}, 0
	for _, s := range sources(t) {
		if s.dir == "test/lint" {
			continue
		}
		ids := idsOf(string(s.text))
		count += len(ids)
		for _, id := range ids {
			named[id] = s.path
		}
	}
	if count < leastNamed {
		t.Errorf("IDs are named %d times; at least %d were expected", count, leastNamed)
	}
	for _, id := range slices.Sorted(maps.Keys(named)) {
		if !listed[id] {
			t.Errorf("%s names %s, which %s does not have", named[id], id, rulesFile)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(listed)) {
		if named[id] == "" {
			t.Errorf("%s has %s, which nothing names", rulesFile, id)
		}
	}
}

// TestViolationsAreRules finds the IDs a second way: the software device has no
// other strings that look like them.
func TestViolationsAreRules(t *testing.T) {
	listed, found := listedRules(t), 0
	for _, s := range sources(t) {
		if s.test || s.dir != "driver/vdev" && !strings.HasPrefix(s.dir, "driver/vdev/") {
			continue
		}
		for _, text := range literals(s.file) {
			if !ruleLike.MatchString(text) {
				continue
			}
			found++
			if !listed[text] {
				t.Errorf("%s names %q, which %s does not have", s.path, text, rulesFile)
			}
		}
	}
	if found < leastViolations {
		t.Errorf("%d rules found in driver/vdev; at least %d were expected", found, leastViolations)
	}
}

// TestRulesAreWrittenOut refuses what the other tests, and grep, cannot find.
func TestRulesAreWrittenOut(t *testing.T) {
	for _, s := range sources(t) {
		if s.dir == "test/lint" {
			continue
		}
		for _, text := range literals(s.file) {
			if unfinished.MatchString(text) {
				t.Errorf("%s puts the ID of a rule together: %q", s.path, text)
			}
		}
	}
}

// TestRuleSyntax checks the search itself.
func TestRuleSyntax(t *testing.T) {
	for text, want := range map[string][]string{
		`d.fail("split/avail/1", q)`:           {"split/avail/1"},
		`"net/config/9/tagged"`:                {"net/config/9"},
		"// x/notif-data, fault/40: doorbells": {"x/notif-data", "fault/40"},
		"// pci/notify/2 to pci/notify/4, fault/7": {"pci/notify/2", "pci/notify/4", "fault/7",
			"pci/notify/3"},
		`"golang.org/x/sys/unix"`:             nil,
		`"/sys/bus/pci/devices/0000:00:03.0"`: nil,
		`"../net/config/1"`:                   nil,
		`t.Run("tx/"+name)`:                   nil,
	} {
		if got := idsOf(text); !slices.Equal(got, want) {
			t.Errorf("%s names %q, not %q", text, got, want)
		}
	}
}

// idsOf returns the IDs that a text names, those inside ranges at the end.
func idsOf(text string) []string {
	var ids []string
	for _, m := range ruleID.FindAllStringSubmatch(text, -1) {
		ids = append(ids, m[1])
	}
	for _, m := range ruleRange.FindAllStringSubmatch(text, -1) {
		first, _ := strconv.Atoi(m[2])
		last, _ := strconv.Atoi(m[4])
		if m[1] != m[3] || !slices.Contains(ids, m[1]+m[2]) {
			continue
		}
		for i := first + 1; i < last; i++ {
			ids = append(ids, m[1]+strconv.Itoa(i))
		}
	}
	return ids
}

// listedRules returns the IDs of rulesFile.
func listedRules(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, rulesFile))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range ruleRow.FindAllStringSubmatch(string(text), -1) {
		id := m[1]
		if ids := idsOf(id); len(ids) != 1 || ids[0] != id {
			t.Errorf("%s: %s is no ID", rulesFile, id)
		}
		if listed[id] {
			t.Errorf("%s has %s twice", rulesFile, id)
		}
		for _, cell := range strings.Split(m[2], "|") {
			if strings.TrimSpace(cell) == "" {
				t.Errorf("%s: %s has an empty cell", rulesFile, id)
			}
		}
		listed[id] = true
	}
	if len(listed) < leastRules {
		t.Fatalf("%s has %d rules; at least %d were expected", rulesFile, len(listed), leastRules)
	}
	return listed
}

// literals returns the values of a file's string literals, imports excepted.
func literals(file *ast.File) []string {
	var list []string
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				list = append(list, text)
			}
		}
		return true
	})
	return list
}
