package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what testpmd says as what is expected")

// TestScript: a script of commands has the output that is kept beside it, but for what differs
// from run to run: counters, rates and cycles.
func TestScript(t *testing.T) {
	commands, err := os.ReadFile("testdata/script/commands")
	if err != nil {
		t.Fatal(err)
	}
	c := newConversation(t, "testpmd", "-i", "emu:loop,queues=2", "emu:null,queues=2")
	said := "" // which is no part of the script
	for line := range strings.Lines(string(commands)) {
		c.tell(line)
		if strings.HasPrefix(line, "start tx_first") {
			// Two bursts of 16 on two queues, of which the loop gives those of port 0 back.
			said = c.tellUntil("show port stats 1\n", regexp.MustCompile(`TX-packets: 128 `))
		}
	}
	got, file := masked(strings.Replace(c.end(), said, "", 1)), filepath.Join("testdata", "script", "output")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		var g, w string
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Fatalf("line %d:\ngot  %s\nwant %s", i+1, g, w)
		}
	}
}

var (
	varying = regexp.MustCompile(`^ *(([RT]X-|[RT]x-|CPU cycles|Posted)|rx_q|RxQ).*`)
	digits  = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)
	bursty  = regexp.MustCompile(`(bursts : ).*`)
	wording = regexp.MustCompile(`^(Features|Path): .*|not supported: emu:.*`) // the driver's words
)

// masked replaces what differs from run to run.
func masked(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = wording.ReplaceAllString(line, "$1 #")
		if varying.MatchString(line) {
			line = bursty.ReplaceAllString(digits.ReplaceAllString(line, "#"), "$1#")
			lines[i] = strings.Join(strings.Fields(line), " ")
		}
	}
	return strings.Join(lines, "\n")
}
