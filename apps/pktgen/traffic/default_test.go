package traffic

import (
	"net/netip"
	"reflect"
	"testing"
)

// TestDefaults: the tags of all headers name values that they can have.
func TestDefaults(t *testing.T) {
	for _, l := range []Layer{Ethernet{}, VLAN{}, ARP{}, IPv4{}, IPv6{}, UDP{}, TCP{}, ICMP{}, ICMPv6{}, VXLAN{}, Raw{}} {
		v := reflect.New(reflect.TypeOf(l)).Elem()
		for i := range v.NumField() {
			f := v.Type().Field(i)
			text, ok := f.Tag.Lookup("default")
			if f.Tag.Get("doc") == "" || f.Tag.Get("yaml") == "" {
				t.Errorf("%s of %s has no name or no description", f.Name, l.Kind())
			}
			if !ok {
				continue
			}
			if err := setScalar(v.Field(i), f, text); err != nil {
				t.Errorf("default of %s.%s: %v", l.Kind(), f.Name, err)
			}
		}
	}
	want := IPv4{Src: netip.MustParseAddr("198.18.0.1"), Dst: netip.MustParseAddr("198.19.0.1"), TTL: 64}
	if got := Default[IPv4](); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
