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
	case reflect.Float64:
		if f := v.Float(); !(f >= 0 && f <= most) {
			return fmt.Errorf("%s is %v: it must be from 0 to %g", path, f, float64(most))
		}
		if f := v.Float(); f > 1 && strings.HasSuffix(path, "_ratio") {
			return fmt.Errorf("%s is %v: a ratio is from 0 to 1", path, f)
		}
		if f := v.Float(); f > 100 && strings.HasSuffix(path, ".percentile") {
			return fmt.Errorf("%s is %v: it must be from 0 to 100", path, f)
		}
	case reflect.Int, reflect.Int64:
		if n := v.Int(); n < -1 || n > most {
			return fmt.Errorf("%s is %d: it must be from 0 to %g", path, n, float64(most))
		}
	case reflect.Uint16, reflect.Uint64:
		if n := v.Uint(); n > most {
			return fmt.Errorf("%s is %d: it must be from 0 to %g", path, n, float64(most))
		}
	}
	return nil
}
