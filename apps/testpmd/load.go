package main

import (
	"context"
	"fmt"
	"os"
	"slices"
)

// load carries out the lines of a file. What is wrong with a line is reported with its number,
// and the next one is carried out.
func (t *tester) load(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("Failed to create file based cmdline context: %s\n  %w", path, unwrapPath(err)) //nolint:staticcheck // the words of testpmd
	}
	if slices.Contains(t.reading, path) {
		return fmt.Errorf("%s loads itself", path)
	}
	t.reading = append(t.reading, path)
	defer func(before place) { t.reading, t.place = t.reading[:len(t.reading)-1], before }(t.place)
	number := 0
	for line := range linesOf(string(text)) {
		number++
		t.place = place{path, number}
		if t.leaving || ctx.Err() != nil {
			return nil
		}
		if err := t.execute(ctx, line); err != nil {
			t.report(err)
		}
		t.checkPorts()
	}
	fmt.Fprintf(t.screen, "Read CLI commands from %s\n", path)
	return nil
}

// place is a line of a file, or none.
type place struct {
	path string
	line int
}

// of returns an error with the line of a file that it is about.
func (p place) of(err error) error {
	if p.path == "" {
		return err
	}
	return fmt.Errorf("%s:%d: %w", p.path, p.line, err)
}
