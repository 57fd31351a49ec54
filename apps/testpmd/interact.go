package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/output"
	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/console"
	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
)

// promptText is that of testpmd: programs wait for it.
const promptText = "testpmd> "

// interact opens the ports and carries out commands.
func (p *plan) interact(ctx context.Context, stdin *os.File, stdout, stderr io.Writer) error {
	t, err := newTester(ctx, p, output.Result(stdout), stderr)
	if err != nil {
		return err
	}
	t.console, err = console.Open(console.Config{
		Prompt: promptText, In: stdin, Out: stdout, History: console.HistoryFile("testpmd"),
		Complete: t.complete, Explain: t.explain, Interrupted: t.interrupt,
	})
	if err != nil {
		return errors.Join(err, t.close())
	}
	former, messages := t.screen, t.errors
	t.screen = t.console
	t.introduce()
	err = t.converse(ctx)
	t.say(ctx)
	if t.busy {
		t.stop()
	}
	err = errors.Join(err, t.console.Close())
	t.screen, t.errors = former, messages
	return errors.Join(err, t.close())
}

// say says that a signal came, as testpmd does.
func (t *tester) say(ctx context.Context) {
	if ctx.Err() != nil {
		fmt.Fprintln(t.screen, "\nSignal received, preparing to exit...")
	}
}

// forward moves packets without commands, and shows what dpdk-testpmd shows.
func (p *plan) forward(ctx context.Context, stdin *os.File, stdout, stderr io.Writer) error {
	t, err := newTester(ctx, p, output.Result(stdout), stderr)
	if err != nil {
		return err
	}
	t.introduce()
	err = t.forward(ctx, stdin)
	return errors.Join(err, t.close())
}

func (t *tester) forward(ctx context.Context, stdin *os.File) error {
	if t.plan.cmdlineFile != "" {
		if err := t.load(ctx, t.plan.cmdlineFile); err != nil {
			return err
		}
	}
	fmt.Fprintln(t.screen, "No commandline core given, start packet forwarding")
	if !t.busy {
		if err := t.start(t.plan.txFirst); err != nil {
			return err
		}
	}
	period := t.plan.options.StatsPeriod
	var key <-chan struct{}
	if period == 0 {
		fmt.Fprintln(t.screen, "Press enter to exit")
		key = anyInput(stdin)
		period = time.Hour
	}
	var over <-chan time.Time
	if d := t.plan.options.Duration; d > 0 {
		over = time.After(d)
	}
	failed := t.set.Failed()
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			t.say(ctx)
			return nil
		case <-over:
			return nil
		case <-key:
			return nil
		case err := <-failed:
			return err
		case <-tick.C:
			if t.plan.options.StatsPeriod > 0 {
				t.showAllStats()
			}
		}
	}
}

// showAllStats shows the counters of all ports, each period.
func (t *tester) showAllStats() {
	fmt.Fprint(t.screen, "\nPort statistics ====================================")
	for _, p := range t.ports {
		if p != nil {
			t.showStats(p)
		}
	}
}

// anyInput returns a channel that is closed when there is input, or its end.
func anyInput(in *os.File) <-chan struct{} {
	done := make(chan struct{})
	go func() { // which ends with the program: a read cannot be called off
		_, _ = in.Read(make([]byte, 1))
		close(done)
	}()
	return done
}

// complete completes the word before the cursor.
func (t *tester) complete(before string) (after string, choices []string) {
	list := t.grammar.Complete(before)
	last := before[strings.LastIndex(before, " ")+1:]
	prefix := grammar.Prefix(list)
	switch {
	case len(list) == 1 && !list[0].Value:
		return before + strings.TrimPrefix(list[0].Word, last) + " ", nil
	case len(prefix) > len(last):
		return before + strings.TrimPrefix(prefix, last), nil
	}
	var words []string
	for _, c := range list {
		words = append(words, c.Word)
	}
	if len(words) == 0 {
		return before, nil
	}
	return before, []string{strings.Join(words, "  ")}
}

// explain lists what can follow, with what it is.
func (t *tester) explain(before string) []string {
	list := t.grammar.Complete(before)
	if len(list) == 0 {
		return []string{"nothing can follow"}
	}
	var lines []string
	for _, c := range list {
		lines = append(lines, strings.TrimRight(fmt.Sprintf("  %-20s %s", c.Word, c.Says), " "))
	}
	return lines
}

// promptHelp lists all commands of the prompt.
func promptHelp() string {
	t := &tester{plan: &plan{}}
	commands := t.commands()
	var b strings.Builder
	for _, s := range sections {
		b.WriteString(helpText(commands, s.name, s.title))
	}
	return b.String()
}
