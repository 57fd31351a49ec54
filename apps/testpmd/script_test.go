package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what testpmd says as what is expected")

// TestScript: a script of commands has the output that is kept beside it, but for what differs
// from run to run: counters, rates and cycles.
func TestScript(t *testing.T) {
	in, err := os.Open("testdata/script/commands")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command("testpmd", "-i", "emu:loop,queues=2", "emu:null,queues=2")
	cmd.Stdin = in
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, file := masked(string(out)), filepath.Join("testdata", "script", "output")
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
