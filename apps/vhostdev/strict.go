package main

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
)

// rulesFile has the rules by their IDs, with the section of the specification.
const rulesFile = "test/conformance/rules.md"

// brokenError lists the rules of the specification that the driver at the other end broke.
type brokenError struct{ rules []vdev.Violation }

func (e *brokenError) Error() string {
	var b strings.Builder
	for _, v := range e.rules {
		where := ""
		if v.Queue >= 0 {
			where = fmt.Sprintf(", queue %d", v.Queue)
		}
		times := "once"
		if v.Count > 1 {
			times = fmt.Sprintf("%d times", v.Count)
		}
		fmt.Fprintf(&b, "rule %s%s: broken %s: %s\n", v.Rule, where, times, v.Text)
	}
	fmt.Fprintf(&b, "--strict: the driver broke %d of the rules in %s", len(e.rules), rulesFile)
	return b.String()
}

// judge returns a [*brokenError] if the driver broke a rule and that is asked for.
func (s *server) judge() error {
	if !s.options.strict {
		return nil
	}
	if rules := s.back.Device().Violations(); len(rules) > 0 {
		return &brokenError{rules}
	}
	return nil
}
