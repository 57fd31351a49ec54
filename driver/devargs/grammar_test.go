package devargs

import (
	"strings"
	"testing"
)

// TestGrammar: the text that commands print has every back end and every key that Parse
// knows, and nothing of the Go source.
func TestGrammar(t *testing.T) {
	text := Grammar()
	if !strings.HasPrefix(text, "PORT = DEVICE") || !strings.HasSuffix(text, "\n") || strings.Contains(text, "//") ||
		strings.Contains(text, "package") || strings.Contains(text, "[*Error]") || !strings.Contains(text, "a comma is written") {
		t.Errorf("not the grammar: %q", text)
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
	_, keys, _ := strings.Cut(text, "\nKEY ")
	for key := range strings.SplitSeq(Keys(), ", ") {
		if !strings.Contains(keys, "\n"+key) && !strings.Contains(keys, ", "+key) {
			t.Errorf("the grammar lacks the key %q", key)
		}
		var s Spec
		if err := s.set(key, ""); err == nil || err.Reason == "unknown key" {
			t.Errorf("Parse does not know the key %q: %v", key, err)
		}
	}
}
