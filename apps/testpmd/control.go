package main

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
)

// controlCommands start and stop forwarding, help, and leave.
func (t *tester) controlCommands() []grammar.Command {
	return []grammar.Command{
		{Form: "start", Section: inControl, Help: "Start packet forwarding with current configuration.",
			Do: func(grammar.Match) error { return t.start(0) }},
		{Form: "start tx_first [N]", Section: inControl,
			Help: "Start packet forwarding with current config after sending one burst of packets, or N, on every transmit queue.",
			Do:   t.startTxFirst},
		{Form: "stop", Section: inControl, Help: "Stop packet forwarding, and display accumulated statistics.",
			Do: func(grammar.Match) error {
				if !t.busy {
					return textError("Packet forwarding not started")
				}
				t.stop()
				return nil
			}},
		{Form: "quit", Section: inControl, Help: "Stop forwarding, close the ports and leave; Ctrl-D does the same.",
			Do: func(grammar.Match) error { t.leaving = true; return nil }},
		{Form: "help [TOPIC]", Section: inControl, Help: "Explain the commands of a topic, or of all.", Do: t.help},
		{Form: "load FILE", Section: inControl, Help: "Carry out the commands in a file, a line each; # begins a comment.",
			Do: func(m grammar.Match) error { return t.load(t.ctx, m.Words[1]) }},
	}
}

// textError is an error that is said in the words of testpmd.
type textError string

func (e textError) Error() string { return string(e) }

func (t *tester) startTxFirst(m grammar.Match) error {
	n := 1
	if len(m.Words) > 2 {
		n = m.Int(2)
	}
	if n < 1 || n > maxTxFirst {
		return fmt.Errorf("start tx_first %d: not between 1 and %d", n, maxTxFirst)
	}
	return t.start(n)
}

// help explains the commands of one section or of all.
func (t *tester) help(m grammar.Match) error {
	topic := ""
	if len(m.Words) > 1 {
		topic = m.Words[1]
	}
	if topic == "" {
		fmt.Fprint(t.screen, "\nHelp is available for the following sections:\n\n")
		for _, s := range sections {
			fmt.Fprintf(t.screen, "    help %-27s: %s\n", s.name, s.says)
		}
		fmt.Fprintf(t.screen, "    help %-27s: %s\n\n", "all", "All of the above sections.")
		fmt.Fprint(t.screen, "? lists what can follow, the tab key completes a word, Ctrl-R finds a former line with what\n"+
			"was typed, and again an older one. PORT is explained by testpmd help ports.\n")
		return nil
	}
	known := false
	for _, s := range sections {
		if topic == s.name || topic == "all" {
			known = true
			fmt.Fprint(t.screen, helpText(t.grammar.Commands(), s.name, s.title))
		}
	}
	if !known {
		return &grammar.Error{Words: m.Words, Place: 1, Expected: topicNames()}
	}
	return nil
}

// helpText lists the commands of a section: those that are carried out, then the others.
func helpText(commands []grammar.Command, section, title string) string {
	var b, not strings.Builder
	fmt.Fprintf(&b, "\n%s:\n%s\n", title, strings.Repeat("-", len(title)+1))
	for _, c := range commands {
		switch {
		case c.Section != section:
		case c.Refused != "":
			fmt.Fprintf(&not, "\n%s\n    %s\n", c.Form, c.Refused)
		default:
			fmt.Fprintf(&b, "\n%s\n    %s\n", c.Form, c.Help)
		}
	}
	if not.Len() > 0 {
		fmt.Fprintf(&b, "\nNot here:\n%s", not.String())
	}
	b.WriteString("\n")
	return b.String()
}
