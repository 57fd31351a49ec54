package result

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// absent stands for a member that a report does not have.
const absent = "absent"

// incidental are members that differ from run to run and say nothing about the set-up, or
// say what another member says already.
var incidental = regexp.MustCompile(`^identity\.(start|end)$` +
	`|^disclosure\.latency\.bias\b|^disclosure\.limits\b|^disclosure\.host\.hugepages\[\d+\]\.free$` +
	`|^disclosure\.traffic\.scenario$`)

// compareSetup compares identity and disclosure member by member.
func compareSetup(a, b *Report) []SetupDifference {
	var order []string
	values := [2]map[string]string{{}, {}}
	for i, r := range []*Report{a, b} {
		visit := func(path, text string) {
			if !slices.Contains(order, path) {
				order = append(order, path)
			}
			values[i][path] = text
		}
		flatten("identity", reflect.ValueOf(r.Identity), visit)
		flatten("disclosure", reflect.ValueOf(r.Disclosure), visit)
	}
	var list []SetupDifference
	for _, path := range order {
		d := SetupDifference{Member: path, A: absent, B: absent}
		for i, text := range []*string{&d.A, &d.B} {
			if value, ok := values[i][path]; ok {
				*text = value
			}
		}
		if d.A != d.B && !incidental.MatchString(path) {
			list = append(list, d)
		}
	}
	return list
}

// flatten visits all members of a value that are not empty. Lists of words are one member.
func flatten(path string, v reflect.Value, visit func(path, text string)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			flatten(path, v.Elem(), visit)
		}
	case reflect.Slice:
		if words, ok := v.Interface().([]string); ok {
			if len(words) > 0 {
				visit(path, strings.Join(words, " "))
			}
			return
		}
		for i := range v.Len() {
			flatten(fmt.Sprintf("%s[%d]", path, i), v.Index(i), visit)
		}
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			visit(path, t.Format(time.RFC3339))
			return
		}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			flatten(path+"."+name, v.Field(i), visit)
		}
	default:
		if text := fmt.Sprint(v.Interface()); text != "" {
			visit(path, text)
		}
	}
}
