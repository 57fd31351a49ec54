package report

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestReadmeFields: where the README of the commands says what is printed, it has every field
// of the object.
func TestReadmeFields(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## What is printed\n")
	section, _, _ = strings.Cut(section, "\n## ")
	seen := map[reflect.Type]bool{}
	var check func(reflect.Type)
	check = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		for f := range typ.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "" && name != "-" && !strings.Contains(section, "`"+name+"`") {
				t.Errorf("apps/README.md does not say what `%s` of %v is", name, typ)
			}
			check(f.Type)
		}
	}
	check(reflect.TypeFor[Object]())
}
