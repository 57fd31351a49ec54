package devargs

import (
	_ "embed" // of the package comment
	"strings"
)

// comment is the file of the package comment: what people read in it and what the
// commands print is one text.
//
//go:embed doc.go
var comment string

// Grammar returns the grammar of a port, as the package comment has it, for a command
// that explains its ports.
func Grammar() string {
	var b strings.Builder
	for line := range strings.Lines(comment) {
		if text, ok := strings.CutPrefix(line, "//\t"); ok {
			b.WriteString(text)
			continue
		}
		if line == "//\n" && b.Len() > 0 && !strings.HasSuffix(b.String(), "\n\n") {
			b.WriteString("\n")
		}
	}
	return strings.TrimSpace(b.String()) + "\n"
}
