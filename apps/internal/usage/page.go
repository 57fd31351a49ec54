package usage

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

const (
	// indent is before the lines of a section.
	indent = "   "
	// widestName is how wide the column of the names of options becomes at most.
	widestName = 24
	// PageWidth is that of a page that is not written to a terminal.
	PageWidth = 80
	// leastWidth and mostWidth bound the width of a page on a terminal.
	leastWidth = 50
	mostWidth  = 100
)

// Width returns how wide a page for a writer is: as its terminal, within bounds.
func Width(w io.Writer) int {
	f, ok := w.(interface{ Fd() uintptr })
	if !ok {
		return PageWidth
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return PageWidth
	}
	return min(max(int(size.Col), leastWidth), mostWidth)
}

// Page has --help print lines of at most a width. topics are those of "help TOPIC", none if
// there are none.
func Page(app *cli.App, topics []string, width int) {
	synopsis := app.UsageText
	if synopsis == "" {
		synopsis = app.Name + " [options]"
	}
	if topics != nil {
		synopsis += "\n" + app.Name + " help " + strings.Join(topics, "|")
	}
	var b strings.Builder
	writeHead(&b, app.Name, app.Usage, synopsis, width)
	writeSection(&b, "VERSION", app.Version)
	writeSection(&b, "DESCRIPTION", app.Description)
	if app.Commands != nil {
		b.WriteString("\nCOMMANDS:\n")
	}
	for _, c := range app.Commands {
		b.WriteString(hang(fmt.Sprintf("%s%-10s ", indent, c.Name), c.Usage, width) + "\n")
		var page strings.Builder
		writeHead(&page, app.Name+" "+c.Name, c.Usage, app.Name+" "+c.Name+" [options] "+c.ArgsUsage, width)
		writeOptions(&page, c.Flags, width)
		c.CustomHelpTemplate = template(page.String())
	}
	writeOptions(&b, app.Flags, width)
	b.WriteString(Entry("--version, -v", "print the version", width))
	app.CustomAppHelpTemplate = template(b.String())
}

// template returns a text as the template of it.
func template(text string) string { return strings.ReplaceAll(text, "{{", "{{`{{`}}") }

func writeHead(b *strings.Builder, name, purpose, synopsis string, width int) {
	fmt.Fprintf(b, "NAME:\n%s\n", hang(indent+name+" - ", purpose, width))
	writeSection(b, "USAGE", synopsis)
}

// writeSection writes lines as they are, if there are any.
func writeSection(b *strings.Builder, title, lines string) {
	if lines != "" {
		fmt.Fprintf(b, "\n%s:\n%s%s\n", title, indent, strings.ReplaceAll(lines, "\n", "\n"+indent))
	}
}

func writeOptions(b *strings.Builder, flags []cli.Flag, width int) {
	b.WriteString("\nOPTIONS:\n")
	for _, f := range flags {
		writeOption(b, f, width)
	}
	b.WriteString(Entry("--help, -h", "print this page", width))
}

// placeholder is the name of a value in the description of an option.
var placeholder = regexp.MustCompile("`([^`]*)`")

// writeOption writes an option, unless it is hidden.
func writeOption(b *strings.Builder, f cli.Flag, width int) {
	d, ok := f.(cli.DocGenerationFlag)
	if v, isVisible := f.(cli.VisibleFlag); !ok || isVisible && !v.IsVisible() {
		return
	}
	var names []string
	for _, n := range f.Names() {
		names = append(names, dashed(n))
	}
	name, text := strings.Join(names, ", "), d.GetUsage()
	preset := strings.Trim(d.GetDefaultText(), `"`)
	if m := placeholder.FindStringSubmatch(text); d.TakesValue() && m != nil {
		name += " " + m[1]
		text = strings.Replace(strings.TrimPrefix(text, m[0]+": "), m[0], m[1], 1)
	} else if d.TakesValue() {
		name += " VALUE"
	}
	if preset != "" && (d.TakesValue() || preset != "false") {
		text += " (default: " + preset + ")"
	}
	b.WriteString(Entry(name, text, width))
}

// Entry returns an entry of a list, as that of the options, as lines.
func Entry(name, text string, width int) string {
	column := indent + fmt.Sprintf("%-*s  ", widestName, name)
	if len(name) > widestName {
		blank := strings.Repeat(" ", len(indent)+widestName+2)
		return indent + name + "\n" + hang(blank, text, width) + "\n"
	}
	return hang(column, text, width) + "\n"
}

// hang returns words behind what the first line begins with, in lines of at most a width
// that begin in the same column.
func hang(first, text string, width int) string {
	var b strings.Builder
	b.WriteString(first)
	column, at := len(first), len(first)
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case at+1+len(word) > width:
			b.WriteString("\n" + strings.Repeat(" ", column))
			at = column
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}
