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
	_, text, _ := strings.Cut(comment, "\n//\t")
	text, _, _ = strings.Cut(text, "\n// # ")
	text = strings.ReplaceAll("\n"+text, "\n//\t", "\n")
	text = strings.ReplaceAll(text, "\n// ", "\n")
	text = strings.ReplaceAll(text, "\n//", "\n")
	return strings.TrimSpace(text) + "\n"
}
