package grammar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func testGrammar() *Grammar {
	number := Kind{Says: "a number", Check: func(text string) error {
		if n, err := strconv.Atoi(text); err != nil || n > 512 {
			return fmt.Errorf("not a number from 0 to 512")
		}
		return nil
	}}
	return New([]Command{
		{Form: "start", Help: "Start forwarding."},
		{Form: "start tx_first [N]", Help: "Send first. Then forward."},
		{Form: "set burst N", Help: "Set packets a burst."},
		{Form: "set fwd (io|mac|macswap) [retry]", Help: "Set the mode."},
		{Form: "show port (info|stats) (PORT|all)", Help: "Show a port."},
		{Form: "flow ...", Refused: "there is no flow table."},
	}, map[string]Kind{"N": number, "PORT": {Says: "a port", Check: number.Check,
		Values: func() []string { return []string{"0", "1"} }}})
}

func TestParse(t *testing.T) {
	g := testGrammar()
	for line, form := range map[string]string{
		"start": "start", "  start  # now": "start", "start tx_first": "start tx_first [N]",
		"start tx_first 3": "start tx_first [N]", "set fwd mac": "set fwd (io|mac|macswap) [retry]",
		"set fwd io retry": "set fwd (io|mac|macswap) [retry]", "show port stats 1": "show port (info|stats) (PORT|all)",
		"show port info all": "show port (info|stats) (PORT|all)", "flow": "flow ...", "flow create 0 ingress": "flow ...",
	} {
		m, err := g.Parse(line)
		if err != nil || m.Command.Form != form {
			t.Errorf("%q: %+v, %v", line, m, err)
		}
	}
	if m, err := g.Parse("set burst 64"); err != nil || m.Int(2) != 64 || !m.Has(1, "burst") || m.Has(3, "") {
		t.Errorf("%+v, %v", m, err)
	}
	for _, line := range []string{"", "# all", "! all", "   "} {
		if words := Words(line); len(words) > 0 {
			t.Errorf("%q has the words %q", line, words)
		}
	}
}

// TestErrors: an error names the word that is wrong and what could stand there.
func TestErrors(t *testing.T) {
	g := testGrammar()
	for line, want := range map[string]string{
		"foo":                "Command not found",
		"set":                "Bad arguments\n  \"set\" is not complete: here can stand burst or fwd",
		"set fwd bogus":      "Bad arguments\n  \"bogus\" after \"set fwd\": here can stand io, mac or macswap",
		"set burst 1000":     "Bad arguments\n  \"1000\" after \"set burst\": not a number from 0 to 512; here can stand a number",
		"set fwd io again":   "Bad arguments\n  \"again\" after \"set fwd io\": here can stand retry or the end",
		"start now":          "Bad arguments\n  \"now\" after \"start\": here can stand the end or tx_first",
		"show port info x":   "Bad arguments\n  \"x\" after \"show port info\": not a number from 0 to 512; here can stand 0, 1 or all",
		"show port info 0 1": "Bad arguments\n  \"1\" after \"show port info 0\": here can stand the end",
	} {
		_, err := g.Parse(line)
		var e *Error
		if !errors.As(err, &e) || err.Error() != want || e.Unknown() != (line == "foo") {
			t.Errorf("%q: %v\nwant %s", line, err, want)
		}
	}
}

func TestComplete(t *testing.T) {
	g := testGrammar()
	for text, want := range map[string]string{
		"": "set show start", "s": "set show start", "st": "start", "set ": "burst fwd", "set fwd m": "mac macswap",
		"start ": "<Enter> tx_first", "show port info ": "0 1 all", "show port info 1": "1", "set burst ": "N",
		"f": "flow", "bogus ": "",
	} {
		var words []string
		for _, c := range g.Complete(text) {
			words = append(words, c.Word)
		}
		if got := strings.Join(words, " "); got != want {
			t.Errorf("%q becomes %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{"set fwd m": "mac", "st": "start", "set burst ": "", "x": "", "sho": "show"} {
		if got := Prefix(g.Complete(text)); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	i := slices.IndexFunc(g.Complete("start "), func(c Candidate) bool { return c.Says == "Send first." })
	if i < 0 {
		t.Error("a candidate does not say what the command does")
	}
}
