package result

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemaFile = "pktgen-1.schema.json"

// validate checks a document against the schema of the tree.
func validate(t *testing.T, document []byte) error {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(instance)
}

func TestReportsMatchTheSchema(t *testing.T) {
	for name, r := range map[string]*Report{"empty": {}, "small": smallReport(), "sample": sampleReport()} {
		var b bytes.Buffer
		if err := WriteJSON(&b, r); err != nil {
			t.Fatal(err)
		}
		if err := validate(t, b.Bytes()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaRefuses: the schema would notice.
func TestSchemaRefuses(t *testing.T) {
	for change, with := range map[string]string{
		`"schema": "pktgen/1"`:    `"schema": "pktgen/2"`,
		`"loss_ratio": 0.001`:     `"loss_ratio": 1.5`,
		`"tx_packets": 1000000`:   `"tx_packets": "many"`,
		`"kind": "irregular"`:     `"kind": "odd"`,
		`"passed": true`:          `"succeeded": true`,
		`"percentile": 50`:        `"percentile": 150`,
		`"2026-03-14T09:26:53Z"`:  `"yesterday"`,
		`"duration_ns": 1000000`:  `"duration_ns": -1000000`,
		`"goals": [`:              `"goals": 1, "unused": [`,
		`"gomaxprocs": 2`:         `"gomaxprocs": 2.5`,
		`"relevant_lower_bound":`: `"relevant_lower_bound": [], "unused":`,
	} {
		var b bytes.Buffer
		if err := WriteJSON(&b, smallReport()); err != nil {
			t.Fatal(err)
		}
		changed := strings.ReplaceAll(b.String(), change, with)
		if changed == b.String() {
			t.Errorf("the report has no %s", change)
		}
		if validate(t, []byte(changed)) == nil {
			t.Errorf("with %s instead of %s the report matches the schema", with, change)
		}
	}
}

// TestSchemaHasAllMembers compares the members of the schema with those of the types.
func TestSchemaHasAllMembers(t *testing.T) {
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs map[string]struct {
			Properties map[string]any `json:"properties"`
			Required   []string       `json:"required"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	types := map[string]reflect.Type{}
	collectStructs(reflect.TypeFor[Report](), types)
	for name, typ := range types {
		def, ok := schema.Defs[name]
		if !ok {
			t.Errorf("the schema has no %s", name)
			continue
		}
		required := 0
		for i := range typ.NumField() {
			member, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if _, ok := def.Properties[member]; !ok {
				t.Errorf("the schema's %s has no %s", name, member)
			}
			if options == "" {
				required++
			}
		}
		if len(def.Properties) != typ.NumField() || len(def.Required) != required {
			t.Errorf("%s has %d members, %d always there; in the schema %d and %d", name, typ.NumField(), required,
				len(def.Properties), len(def.Required))
		}
	}
	if len(schema.Defs) != len(types) {
		t.Errorf("the schema defines %d types, a report has %d", len(schema.Defs), len(types))
	}
}

// collectStructs finds the structs of this package that a type consists of.
func collectStructs(typ reflect.Type, found map[string]reflect.Type) {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice:
		collectStructs(typ.Elem(), found)
	case reflect.Struct:
		if found[typ.Name()] != nil || typ.PkgPath() != reflect.TypeFor[Report]().PkgPath() {
			return
		}
		found[typ.Name()] = typ
		for i := range typ.NumField() {
			collectStructs(typ.Field(i).Type, found)
		}
	}
}
