package devargs

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

const forms = "write 0000:00:03.0, vhost-user:SOCKET or emu:BACKEND, then ,key=value"

// Parse parses the text of a port. Every failure is an [*Error].
func Parse(text string) (Spec, error) {
	s := Spec{Text: text}
	device, rest, more := cutDevice(text)
	if err := s.device(device); err != nil {
		err.Port = text
		return Spec{}, err
	}
	seen := map[string]bool{}
	for more {
		var field string
		field, rest, more = strings.Cut(rest, ",")
		key, value, ok := strings.Cut(field, "=")
		var err *Error
		switch {
		case !ok || key == "":
			err = noValue(field)
		case seen[key]:
			err = &Error{Key: key, Value: value, Reason: "the key was given before", Remedy: "give it once"}
		default:
			err = s.set(key, value)
		}
		if err != nil {
			err.Port = text
			return Spec{}, err
		}
		seen[key] = true
	}
	if err := s.check(); err != nil {
		err.Port = text
		return Spec{}, err
	}
	return s, nil
}

// device reads what stands before the first comma.
func (s *Spec) device(text string) *Error {
	prefix, rest, _ := strings.Cut(text, ":")
	switch prefix {
	case "emu":
		return s.backend(rest)
	case "pci":
		return s.address(rest)
	case "vhost-user":
		return s.socket(unescape(rest))
	case "vdpa":
		return &Error{Value: text, Reason: "this build has no " + prefix + " transport", Remedy: forms,
			Err: errors.ErrUnsupported}
	case "":
		return &Error{Value: text, Reason: "no device is named", Remedy: forms}
	}
	if strings.Trim(prefix, "0123456789abcdefABCDEF") != "" {
		return unknownKind(text)
	}
	return s.address(text)
}

func (s *Spec) address(text string) *Error {
	a, err := pci.ParseAddress(text)
	if err == nil {
		s.Kind, s.Address = PCI, a
		return nil
	}
	reason := err.Error()
	var bad *pci.AddressError
	if errors.As(err, &bad) {
		reason = "not a PCI address: " + bad.Reason
	}
	return &Error{Value: text, Reason: reason, Err: err,
		Remedy: "write it as lspci -D does, for example 0000:00:03.0"}
}

// backends names the argument of each back end, "" for none.
var backends = map[string]string{
	"gen": "", "null": "", "loop": "", "cable": "NAME", "tap": "IFNAME", "pcap": "FILE", "vhost": "SOCKET",
}

func (s *Spec) backend(text string) *Error {
	remedy := "the back ends are gen, null, loop, cable=NAME, tap=IFNAME, pcap=FILE and vhost=SOCKET"
	name, arg, _ := strings.Cut(text, "=")
	if name != "pcap" {
		arg = unescape(arg)
	}
	want, known := backends[name]
	switch {
	case !known:
		if meant := similar(name, slices.Sorted(maps.Keys(backends))); meant != "" {
			remedy = "did you mean emu:" + meant + text[len(name):] + "?"
		}
		return &Error{Value: text, Reason: "unknown back end of an emulated port", Remedy: remedy}
	case want == "" && text != name:
		return &Error{Value: text, Reason: name + " takes no argument", Remedy: "write emu:" + name}
	case want != "" && arg == "":
		return &Error{Value: text, Reason: name + " needs an argument", Remedy: "write emu:" + name + "=" + want}
	case name == "tap" && (len(arg) > 15 || strings.ContainsAny(arg, "/ \t\n\x00")):
		return &Error{Value: arg, Reason: "not a name of an interface",
			Remedy: "use 1 to 15 letters and digits"}
	case name == "vhost" && len(arg) > maxSocket:
		return &Error{Value: arg, Reason: longSocket, Remedy: shortSocket}
	}
	s.Kind, s.Backend, s.Arg = Emu, name, arg
	return nil
}

func (s *Spec) feature(key, value string, f virtio.Feature) *Error {
	on, err := flag(key, value)
	switch {
	case err != nil:
		return err
	case on:
		s.Allow = s.Allow.With(f)
	default:
		s.Refuse = s.Refuse.With(f)
	}
	return nil
}

// mac reads the address of the port.
func (s *Spec) mac(key, value string) *Error {
	mac, err := net.ParseMAC(value)
	reason := ""
	switch {
	case err != nil || len(mac) != 6:
		reason = "not a 48-bit address"
	case mac[0]&1 != 0:
		reason = "a multicast address cannot be that of a port"
	case mac.String() == "00:00:00:00:00:00":
		reason = "no port has the address zero"
	}
	if reason != "" {
		return &Error{Key: key, Value: value, Reason: reason, Remedy: "write it like 02:00:00:00:00:01"}
	}
	s.MAC = mac
	return nil
}

// check refuses keys that do not go together.
func (s *Spec) check() *Error {
	if s.NoIOMMU && s.Kind != PCI {
		return &Error{Key: "noiommu", Value: "1", Reason: "only a PCI port has an IOMMU to do without",
			Remedy: "leave it out"}
	}
	if err := s.checkSocket(); err != nil {
		return err
	}
	if err := s.checkCapture(); err != nil {
		return err
	}
	if err := s.checkImpairment(); err != nil {
		return err
	}
	if err := s.checkControl(); err != nil {
		return err
	}
	if err := s.checkSettings(); err != nil {
		return err
	}
	if !s.Refuse.Has(virtio.RingPacked) {
		return nil // the ring may be packed, whose size is any number
	}
	for _, q := range []struct {
		key  string
		size int
	}{{"rx_queue_size", s.RxQueueSize}, {"tx_queue_size", s.TxQueueSize}} {
		if q.size&(q.size-1) != 0 {
			return &Error{Key: q.key, Value: strconv.Itoa(q.size),
				Reason: "the size of a split ring is a power of two (virtio 1.4, 2.7)",
				Remedy: fmt.Sprintf("use %d, or leave out packed=0", below(q.size))}
		}
	}
	return nil
}

// below returns the largest power of two up to n.
func below(n int) int {
	p := 1
	for 2*p <= n {
		p *= 2
	}
	return p
}

func number(field *int, key, value string, least, most int, remedy string) *Error {
	v, err := strconv.ParseUint(value, 10, 31)
	if err != nil || int(v) < least || int(v) > most {
		return &Error{Key: key, Value: value, Remedy: remedy,
			Reason: fmt.Sprintf("not a number from %d to %d", least, most)}
	}
	*field = int(v)
	return nil
}

func flag(key, value string) (bool, *Error) {
	if value != "0" && value != "1" {
		return false, &Error{Key: key, Value: value, Reason: "neither 0 nor 1",
			Remedy: "write " + key + "=0 or " + key + "=1"}
	}
	return value == "1", nil
}
