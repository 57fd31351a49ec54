package traffic

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Default returns a header with the values that it has in a scenario that gives none. T
// is one of the headers of this package.
func Default[T Layer]() T {
	var l T
	setDefaults(reflect.ValueOf(&l).Elem())
	return l
}

// setDefaults gives the fields of a struct the values that their tags name.
func setDefaults(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch text, ok := f.Tag.Lookup("default"); {
		case ok:
			_ = setScalar(v.Field(i), f, text) // a test sets them all
		case f.Type.Kind() == reflect.Struct && f.Tag.Get("yaml") != "":
			setDefaults(v.Field(i))
		}
	}
}

// setScalar sets a value of a struct from text, within the bounds that its tags give. An
// error is "reason; remedy".
func setScalar(v reflect.Value, f reflect.StructField, text string) error {
	if words := strings.Fields(f.Tag.Get("oneof")); len(words) > 0 && !slices.Contains(words, text) {
		return fmt.Errorf("unknown; use one of %s", strings.Join(words, ", "))
	}
	if a, ok := v.Addr().Interface().(*netip.Addr); ok {
		return setAddress(a, f.Tag.Get("family"), text)
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		if text == "" {
			return errors.New("no value; leave the line out")
		}
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return errors.New("neither true nor false; write one of them")
		}
		v.SetBool(text == "true")
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return errors.New("not a number; write it like 1 or 0.5")
		}
		v.SetFloat(x)
	case reflect.Int:
		n, err := strconv.ParseUint(text, 0, 31)
		if err != nil || n > greatest(f, 31) {
			return fmt.Errorf("not a number from 0 to %d; use one", greatest(f, 31))
		}
		v.SetInt(int64(n))
	default:
		n, err := strconv.ParseUint(text, 0, v.Type().Bits())
		if err != nil || n > greatest(f, v.Type().Bits()) {
			return fmt.Errorf("not a number from 0 to %d; use one", greatest(f, v.Type().Bits()))
		}
		v.SetUint(n)
	}
	return nil
}

// greatest returns the greatest value of a number.
func greatest(f reflect.StructField, bits int) uint64 {
	if n, err := strconv.ParseUint(f.Tag.Get("max"), 0, 64); err == nil {
		return n
	}
	return 1<<bits - 1
}

func setAddress(a *netip.Addr, family, text string) error {
	address, err := netip.ParseAddr(text)
	if err == nil && address.Zone() == "" {
		switch {
		case family == "4" && address.Is4(), family == "6" && address.Is6():
			*a = address
			return nil
		}
	}
	if family == "4" {
		return errors.New("not an IPv4 address; write it like 198.18.0.1")
	}
	return errors.New("not an IPv6 address; write it like 2001:2::1")
}

// fieldNames lists the fields of a header that can change.
func fieldNames(kind string) string {
	return strings.Join(slices.Sorted(maps.Keys(fieldPlaces[kind])), ", ")
}
