package devargs

import (
	"strings"
	"testing"
)

// TestGrammar: the grammar has every back end and every key that Parse knows, and fits a
// terminal.
func TestGrammar(t *testing.T) {
	text := Grammar()
	for line := range strings.Lines(text) {
		if len(line) > helpWidth+2 {
			t.Errorf("too long: %q", line)
		}
	}
	for name, arg := range backends {
		want := "\nemu:" + name + " "
		if arg != "" {
			want = "\nemu:" + name + "=" + arg + " "
		}
		if !strings.Contains(text, want) {
			t.Errorf("the grammar lacks %q", want)
		}
	}
	_, explained, _ := strings.Cut(text, "\nKEY ")
	for key := range strings.SplitSeq(Keys(), ", ") {
		if !strings.Contains(explained, "\n"+key) && !strings.Contains(explained, ", "+key) {
			t.Errorf("the grammar lacks the key %q", key)
		}
		var s Spec
		if err := s.set(key, "?"); (err == nil) != (key == "socket_group") || err != nil && err.Reason == "unknown key" {
			t.Errorf("Parse does not know the key %q, or takes any value: %v", key, err)
		}
	}
}
