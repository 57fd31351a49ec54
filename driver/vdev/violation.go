package vdev

import "fmt"

// Violation is a rule that the driver broke.
type Violation struct {
	// Rule is the ID of a rule in test/conformance/rules.md: "split/avail/1",
	// "pci/common/3". Rules that begin with "x/" carry no
	// keyword in the specification, but a driver has to follow them as well.
	Rule string
	// Queue is the virtqueue it happened on, -1 if on none.
	Queue int
	// Text describes the first occurrence.
	Text string
	// Count is the number of occurrences.
	Count int
}

// String returns one line of text.
func (v Violation) String() string {
	where := ""
	if v.Queue >= 0 {
		where = fmt.Sprintf(" queue %d:", v.Queue)
	}
	return fmt.Sprintf("%s:%s %s (%d times)", v.Rule, where, v.Text, v.Count)
}

// maxViolations bounds the record.
const maxViolations = 256

// Violations returns the rules that the driver broke since the device was made, in
// the order of first occurrence. A rule broken again on the same queue is counted
// and not listed again. A reset does not clear the record.
func (d *core) Violations() []Violation {
	d.violationsMu.Lock()
	defer d.violationsMu.Unlock()
	return append([]Violation(nil), d.violations...)
}

// ClearViolations empties the record.
func (d *core) ClearViolations() {
	d.violationsMu.Lock()
	defer d.violationsMu.Unlock()
	d.violations = nil
}

// violate records that the driver broke a rule on virtqueue q, -1 for none.
func (d *core) violate(rule string, q int, format string, args ...any) {
	d.violationsMu.Lock()
	defer d.violationsMu.Unlock()
	for i := range d.violations {
		if v := &d.violations[i]; v.Rule == rule && v.Queue == q {
			v.Count++
			return
		}
	}
	if len(d.violations) < maxViolations {
		text := fmt.Sprintf(format, args...)
		d.violations = append(d.violations, Violation{Rule: rule, Queue: q, Text: text, Count: 1})
		d.log.Debug("driver broke a rule", "rule", rule, "queue", q, "text", text)
	}
}

// fail records a violation after which the device cannot go on: it touches no ring
// until it is started again. d.mu is held.
func (d *core) fail(rule string, q int, format string, args ...any) {
	d.violate(rule, q, format, args...)
	d.variant.failed(Violation{Rule: rule, Queue: q, Text: fmt.Sprintf(format, args...), Count: 1})
}
