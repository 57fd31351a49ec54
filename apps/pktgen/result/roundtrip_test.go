package result

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// measured draws values of any shape with fractions up to most.
func measured[T any](most float64) *rapid.Generator[T] {
	times := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).UTC()
	})
	return rapid.MakeCustom[T](rapid.MakeConfig{Types: map[reflect.Type]*rapid.Generator[any]{
		reflect.TypeFor[time.Time](): times.AsAny(),
		reflect.TypeFor[float64]():   rapid.Float64Range(0, most).AsAny(),
		reflect.TypeFor[int]():       rapid.IntRange(0, 1e9).AsAny(),
		reflect.TypeFor[int64]():     rapid.Int64Range(0, max(1e15, int64(most))).AsAny(),
		reflect.TypeFor[uint64]():    rapid.Uint64Range(0, max(1e15, uint64(most))).AsAny(),
	}})
}

// reports draws reports with one part each, which keeps them small.
func reports(most float64) *rapid.Generator[Report] {
	return rapid.OneOf(
		rapid.Map(measured[Trial](most), func(v Trial) Report { return Report{Trials: []Trial{v}} }),
		rapid.Map(measured[Search](most), func(v Search) Report { return Report{Searches: []Search{v}} }),
		rapid.Map(measured[LossCurve](most), func(v LossCurve) Report { return Report{LossCurves: []LossCurve{v}} }),
		rapid.Map(measured[LatencyAtLoad](most), func(v LatencyAtLoad) Report { return Report{LatencyAtLoad: []LatencyAtLoad{v}} }),
		rapid.Map(measured[BackToBack](most), func(v BackToBack) Report { return Report{BackToBack: []BackToBack{v}} }),
		rapid.Map(measured[MRR](most), func(v MRR) Report { return Report{MRR: []MRR{v}} }),
		rapid.Map(measured[Identity](most), func(v Identity) Report { return Report{Identity: v} }),
		rapid.Map(measured[Disclosure](most), func(v Disclosure) Report { return Report{Disclosure: v} }),
		rapid.Map(measured[[]Note](most), func(v []Note) Report { return Report{Notes: v} }),
	)
}

// TestRoundTrip: what is read is what was written, and writes the same again. A slice
// without elements is not written.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := reports(1).Draw(t, "report")
		var first, second bytes.Buffer
		if err := WriteJSON(&first, &r); err != nil {
			t.Fatal(err)
		}
		text := bytes.Clone(first.Bytes())
		got, err := ReadJSON(&first)
		if err != nil {
			t.Fatal(err)
		}
		r.Schema = Schema
		if !reflect.DeepEqual(withoutEmpty(reflect.ValueOf(&r)), reflect.ValueOf(got).Interface()) {
			t.Fatalf("read %+v\nwrote %+v", got, r)
		}
		if err := WriteJSON(&second, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, second.Bytes()) {
			t.Fatalf("wrote\n%s\nthen\n%s", text, second.Bytes())
		}
	})
}

// withoutEmpty sets the empty slices of a value to nil.
func withoutEmpty(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			withoutEmpty(v.Elem())
		}
	case reflect.Slice:
		if v.Len() == 0 {
			v.SetZero()
			break
		}
		for i := range v.Len() {
			withoutEmpty(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				withoutEmpty(v.Field(i))
			}
		}
	}
	return v.Interface()
}

// TestAnyReportIsShown: whatever the numbers, there is a page and a table. Plots of values
// that are far apart, equal or alone have axes.
func TestAnyReportIsShown(t *testing.T) {
	for _, top := range []float64{1, 1e6, most} {
		rapid.Check(t, func(t *rapid.T) {
			r := reports(top).Draw(t, "report")
			r.Conclude()
			if err := errors.Join(WriteHTML(io.Discard, &r), WriteCSV(io.Discard, &r)); err != nil {
				t.Fatal(err)
			}
			if c := Compare(&r, &r); c.Status() == 1 || len(c.Setup) > 0 {
				t.Fatalf("compared with itself: %+v", c)
			}
		})
	}
}

// FuzzReadJSON: what is accepted can be written in all formats and compared with itself.
func FuzzReadJSON(f *testing.F) {
	for _, r := range []*Report{{}, smallReport()} {
		var b bytes.Buffer
		if err := WriteJSON(&b, r); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte(`{"schema":"pktgen/1","trials":[{"intervals":[{"start_ns":5,"duration_ns":0,"tx_pps":1e18}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ReadJSON(bytes.NewReader(text))
		if err != nil {
			return
		}
		r.Conclude()
		var b bytes.Buffer
		if err := WriteJSON(&b, r); err != nil {
			t.Fatal(err)
		}
		if again, err := ReadJSON(&b); err != nil || !reflect.DeepEqual(withoutEmpty(reflect.ValueOf(r)), again) {
			t.Fatalf("read again: %v", err)
		}
		b.Reset()
		if err := WriteCSV(&b, r); err != nil {
			t.Fatal(err)
		}
		if _, err := csv.NewReader(&b).ReadAll(); err != nil {
			t.Fatal(err)
		}
		if err := WriteHTML(&b, r); err != nil {
			t.Fatal(err)
		}
		if c := Compare(r, r); len(c.Setup) > 0 || c.Status() == 1 {
			t.Fatalf("compared with itself: %+v", c)
		}
	})
}
