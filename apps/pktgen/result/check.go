package result

import (
	"fmt"
	"reflect"
	"strings"
)

// most is above every figure of a report: what is larger is a mistake.
const most = 1e18

// check refuses numbers that no measurement has: those that are not finite, absurdly large
// or negative, except -1, which stands for a CPU or node that is not known.
func (r *Report) check() error {
	return checkValue("", reflect.ValueOf(r).Elem())
}

func checkValue(path string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return checkValue(path, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := checkValue(fmt.Sprintf("%s[%d]", path, i), v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !field.IsExported() || name == "" {
				continue // a time
			}
			if err := checkValue(strings.TrimPrefix(path+"."+name, "."), v.Field(i)); err != nil {
				return err
			}
		}
	default:
		return checkNumber(path, v)
	}
	return nil
}

func checkNumber(path string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Float64:
		top := most
		switch {
		case strings.HasSuffix(path, "_ratio"):
			top = 1
		case strings.HasSuffix(path, ".percentile"):
			top = 100
		}
		if f := v.Float(); !(f >= 0 && f <= top) { // not a number is neither
			return fmt.Errorf("%s is %v: it must be from 0 to %g", path, f, top)
		}
	case reflect.Int, reflect.Int64:
		if n := v.Int(); n < -1 || n > most {
			return fmt.Errorf("%s is %d: it must be from 0 to %g", path, n, most)
		}
	case reflect.Uint16, reflect.Uint64:
		if n := v.Uint(); n > most {
			return fmt.Errorf("%s is %d: it must be from 0 to %g", path, n, most)
		}
	}
	return nil
}
