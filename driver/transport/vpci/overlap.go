package vpci

import (
	"fmt"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// barRange is a range of a BAR that a structure or a table occupies.
type barRange struct {
	name       string
	bar        int
	start, end uint64 // end is the first byte after it
}

func (s *structure) barRange() barRange {
	return barRange{s.kind.String() + " structure", s.bar, s.base(), s.end()}
}

func (p barRange) overlaps(q barRange) bool {
	return p.bar == q.bar && p.start < q.end && q.start < p.end
}

// msixRanges returns the ranges of the MSI-X table and of its pending bits.
func msixRanges(fn pci.Function, caps []pci.Capability) ([]barRange, error) {
	entry, ok := pci.First(caps, pci.CapabilityMSIX)
	if !ok {
		return nil, nil
	}
	m, err := pci.ReadMSIX(fn, entry)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fn.Address(), err)
	}
	table, pba := uint64(m.TableOffset), uint64(m.PBAOffset)
	return []barRange{
		{"MSI-X table", m.TableBAR, table, table + m.Size()},
		{"MSI-X pending bits", m.PBABAR, pba, pba + m.PBASize()},
	}, nil
}

// checkOverlaps makes sure that no structure overlaps another. A length that leaves
// the BAR has to be accepted (4.1.4.1): it is reduced to the space before the next
// range. Lengths that fit are taken as they are, and then common, ISR and device
// configuration must not share registers, nor must the doorbells overlap the MSI-X
// table: a doorbell would overwrite where interrupts go.
func (s *structures) checkOverlaps(fn pci.Function, msix []barRange) error {
	others := slices.Clone(msix)
	for _, one := range s.all() {
		others = append(others, one.barRange())
	}
	for _, one := range s.all() {
		if one.end() > one.region.Size() {
			one.truncate(others)
		}
	}
	var taken []barRange
	for _, one := range []*structure{s.common, s.isr, s.device} {
		if one == nil {
			continue
		}
		if err := one.checkFree(fn, taken); err != nil {
			return err
		}
		taken = append(taken, one.barRange())
	}
	return s.notify.checkFree(fn, msix)
}

// truncate ends the structure where the next range in its BAR begins, or with the
// BAR.
func (s *structure) truncate(others []barRange) {
	end := s.region.Size()
	for _, p := range others {
		if p.bar == s.bar && p.start > s.base() {
			end = min(end, p.start)
		}
	}
	s.size = end - s.base()
}

// checkFree fails if the structure overlaps one of the ranges in taken, or was
// truncated to less than it needs.
func (s *structure) checkFree(fn pci.Function, taken []barRange) error {
	needed, _ := s.kind.needed()
	refused := s.refused(fn, s.region.Size())
	for _, p := range taken {
		if s.barRange().overlaps(p) {
			refused.Reason = fmt.Sprintf("it overlaps the %s at %#x to %#x",
				p.name, p.start, p.end-1)
			return refused
		}
	}
	if s.size < needed {
		refused.Reason = fmt.Sprintf("only %#x bytes are left before the next structure", s.size)
		return refused
	}
	return nil
}
