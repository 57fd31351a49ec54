package devargs

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// TestReadmeNamesMethodsAndKeys: what the README says a program can ask of a port is there.
func TestReadmeNamesMethodsAndKeys(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "| to | methods | keys |\n|---|---|---|\n")
	table, _, found := strings.Cut(table, "\n\n")
	if !found {
		t.Fatal("there is no such table")
	}
	names := func(text string) (list []string) {
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
			list = append(list, m[1])
		}
		return list
	}
	var known []string
	for k := range keys {
		known = append(known, k.name)
	}
	for line := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(line, "|")
		for _, name := range names(cells[2]) {
			if !exported(name) {
				t.Errorf("package driver has no %s", name)
			}
		}
		for _, name := range names(cells[3]) {
			if !slices.Contains(known, name) {
				t.Errorf("there is no key %s", name)
			}
		}
	}
}

// exported reports whether a name is one of a method of Port, or after a dot of a method or
// field of another type, or that of a type.
func exported(name string) bool {
	types := map[string]reflect.Type{"Port": reflect.TypeFor[*driver.Port](), "RxQueue": reflect.TypeFor[*driver.RxQueue](),
		"Waiter": reflect.TypeFor[*driver.Waiter](), "Config": reflect.TypeFor[driver.Config](), "Buf": reflect.TypeFor[*mbuf.Buf](),
		"Tx": reflect.TypeFor[*driver.TxQueue]()}
	of, member, dotted := strings.Cut(name, ".")
	if !dotted {
		if types[name] != nil {
			return true
		}
		of, member = "Port", name
	}
	if types[of] == nil {
		return false
	}
	if types[of].Kind() == reflect.Struct {
		_, ok := types[of].FieldByName(member)
		return ok
	}
	_, ok := types[of].MethodByName(member)
	return ok
}
