package traffic

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Reference returns a description of scenario files, as plain text of at most 79 columns.
// It is made from what the parser goes by, so that neither has what the other lacks.
func Reference() string {
	var b strings.Builder
	b.WriteString(`A scenario is a YAML file that describes the streams of packets to be sent:

  streams:
    - name: load
      rate: 1Mpps
      size: imix
      packet:
        - ethernet: {dst: 02:00:00:00:00:01}
        - ipv4: {src: 198.18.0.1, dst: 198.19.0.1}
        - udp: {dst: 9}
      fields:
        - {field: udp.src, op: increment, min: 1024, count: 1000}

Sizes are bytes of a frame without FCS: the 64 bytes of RFC 2544 are 60.
Numbers can be written as 0x10. Anchors, aliases and << (take over the fields
of another mapping) work as in YAML. A field that is not listed here is an
error. In parentheses stands what a field is if it is not given.
`)
	section(&b, "Fields of a scenario", reflect.TypeFor[Scenario]())
	section(&b, "Fields of a stream", reflect.TypeFor[Stream]())
	section(&b, "Fields of pattern", reflect.TypeFor[Pattern]())
	section(&b, "Fields of replay", reflect.TypeFor[Playback]())
	section(&b, "Fields of each item of fields", reflect.TypeFor[Field]())
	heading(&b, "Sizes")
	for _, f := range sizeForms {
		item(&b, f[0], f[1])
	}
	heading(&b, "Payloads")
	for _, f := range payloadForms {
		item(&b, f[0], f[1])
	}
	heading(&b, "Headers")
	paragraph(&b, "Each item of packet is the name of a header, or its name and fields. Lengths, "+
		"checksums and types follow from the rest. In front of vxlan, a udp header has dst: 4789 and checksum: none "+
		"unless they are given.", "  ")
	for _, t := range layerTypes {
		kind := kindOf(t)
		section(&b, "Fields of "+kind, t)
		paragraph(&b, "Stands "+places(before[kind])+".", "  ")
		if names := fieldNames(kind); names != "" {
			paragraph(&b, "Can change from packet to packet: "+names+".", "  ")
		}
	}
	return b.String()
}

// width is how many columns the text has.
const width = 79

func heading(b *strings.Builder, text string) {
	fmt.Fprintf(b, "\n%s\n", text)
}

// section lists the fields of a struct.
func section(b *strings.Builder, title string, t reflect.Type) {
	heading(b, title)
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		text := f.Tag.Get("doc")
		if d := f.Tag.Get("default"); d != "" {
			text += " (" + d + ")"
		}
		item(b, name, text)
	}
}

// column is where descriptions begin.
const column = 20

// item writes a name and what it means.
func item(b *strings.Builder, name, text string) {
	lines := wrap(text, width-column)
	if len(name) > column-3 {
		fmt.Fprintf(b, "  %s\n", name)
		name = ""
	} else {
		fmt.Fprintf(b, "  %-*s%s\n", column-2, name, lines[0])
		lines = lines[1:]
	}
	for _, line := range lines {
		fmt.Fprintf(b, "%*s%s\n", column, "", line)
	}
}

func paragraph(b *strings.Builder, text, indent string) {
	for _, line := range wrap(text, width-len(indent)) {
		b.WriteString(indent + line + "\n")
	}
}

// wrap breaks a text into lines.
func wrap(text string, width int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// sizeForms and payloadForms are the texts of a Size and of a Payload.
var (
	sizeForms = [][2]string{
		{"60", "all of that size"},
		{"60,124,252", "in turn"},
		{"60-1514", "each size from 60 to 1514 in turn"},
		{"60-1514+64", "with a step of 64"},
		{"imix", "60, 590 and 1514 bytes in the ratio 28:16:4, as TRex has it"},
		{"imix:7:4:1", "the same three sizes with other weights"},
		{"imix 60:5,1514:1", "any sizes with weights"},
		{"genome aafg", "a repeating sequence as RFC 6985 writes it: a to j are " + genomeText() + " bytes, 4 more with FCS"},
		{"SIZES random", "the sizes of any of the above by chance, as often as they are in it"},
		{"SIZES random seed 7", "by another chance; the same seed gives the same sizes"},
	}
	payloadForms = [][2]string{
		{"counter", "0, 1, 2 and so on up to 255, and again"},
		{"zeros", "zeros"},
		{"random", "random bytes, the same in each packet"},
		{"random seed 7", "other random bytes; the same seed gives the same ones"},
		{"text hello", "a text, and zeros behind it"},
		{"hex 0a0b0c", "bytes, and zeros behind them"},
		{"keep", "whatever the buffer holds, as DPDK's testpmd sends it; no checksum may cover it"},
	}
)

func genomeText() string {
	var lens []int
	for _, n := range genomeLens {
		lens = append(lens, n)
	}
	slices.Sort(lens)
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(lens), " ", ", "), "[]")
}
