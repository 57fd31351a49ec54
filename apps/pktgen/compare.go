package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/output"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// compare tells what differs between two reports. Its exit status is that of
// [result.Comparison].
func compare(c *cli.Context) error {
	if c.NArg() != 3 {
		return &command.UsageError{Reason: fmt.Sprintf("compare takes two reports, and there are %d: pktgen compare BEFORE.json AFTER.json",
			c.NArg()-1)}
	}
	before, err := readReport(c.Args().Get(1))
	if err != nil {
		return err
	}
	after, err := readReport(c.Args().Get(2))
	if err != nil {
		return err
	}
	comparison := result.Compare(before, after)
	out := output.Result(c.App.Writer)
	if c.Bool("json") {
		err = result.WriteComparisonJSON(out, comparison)
	} else {
		err = result.WriteComparison(out, comparison)
	}
	if status := comparison.Status(); err == nil && status != 0 {
		return &command.StatusError{Status: status, Reason: "compare: " + string(comparison.Outcome)}
	}
	return err
}

func readReport(file string) (*result.Report, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := result.ReadJSON(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}
