package vpci

import (
	"fmt"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// place is a range of a BAR that belongs to something.
type place struct {
	name       string
	bar        int
	start, end uint64 // end is the first byte after it
}

func (s *structure) place() place {
	return place{s.kind.String() + " structure", s.bar, s.base(), s.end()}
}

func (p place) overlaps(q place) bool {
	return p.bar == q.bar && p.start < q.end && q.start < p.end
}

// msixPlaces returns where the interrupt table and its pending bits are.
func msixPlaces(fn pci.Function, caps []pci.Capability) ([]place, error) {
	entry, ok := pci.First(caps, pci.CapabilityMSIX)
	if !ok {
		return nil, nil
	}
	m, err := pci.ReadMSIX(fn, entry)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fn.Address(), err)
	}
	table, pba := uint64(m.TableOffset), uint64(m.PBAOffset)
	return []place{
		{"MSI-X table", m.TableBAR, table, table + m.Size()},
		{"MSI-X pending bits", m.PBABAR, pba, pba + m.PBASize()},
	}, nil
}

// separate makes sure that each structure is on its own. A length that leaves
// the BAR cannot be meant and has to be coped with (4.1.4.1): it is cut to the
// space before whatever comes next. Lengths that fit are believed, and then
// common, ISR and device configuration must not share registers, nor must a
// doorbell hit the MSI-X table: what is written there is where interrupts go.
func (s *structures) separate(fn pci.Function, msix []place) error {
	others := slices.Clone(msix)
	for _, one := range s.all() {
		others = append(others, one.place())
	}
	for _, one := range s.all() {
		if one.end() > one.region.Size() {
			one.cut(others)
		}
	}
	var taken []place
	for _, one := range []*structure{s.common, s.isr, s.device} {
		if one == nil {
			continue
		}
		if err := one.checkFree(fn, taken); err != nil {
			return err
		}
		taken = append(taken, one.place())
	}
	return s.notify.checkFree(fn, msix)
}

// cut ends the structure where the next thing in its BAR begins, or with the BAR.
func (s *structure) cut(others []place) {
	end := s.region.Size()
	for _, p := range others {
		if p.bar == s.bar && p.start > s.base() {
			end = min(end, p.start)
		}
	}
	s.size = end - s.base()
}

// checkFree fails if the structure shares registers with one of the places, or
// was cut to less than it needs.
func (s *structure) checkFree(fn pci.Function, taken []place) error {
	needed, _ := s.kind.needed()
	refused := s.refused(fn, s.region.Size())
	for _, p := range taken {
		if s.place().overlaps(p) {
			refused.Reason = fmt.Sprintf("it overlaps the %s at %#x to %#x", p.name, p.start, p.end-1)
			return refused
		}
	}
	if s.size < needed {
		refused.Reason = fmt.Sprintf("only %#x bytes are left before the next structure", s.size)
		return refused
	}
	return nil
}
