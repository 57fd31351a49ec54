package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// writers are the forms of a report, by the ending of the file.
var writers = map[string]func(io.Writer, *result.Report) error{
	".json": result.WriteJSON, ".csv": result.WriteCSV, ".html": result.WriteHTML,
}

// checkReports checks the names of the reports, and that each can be written.
func (p *plan) checkReports(*cli.Context) error {
	for _, file := range p.reports {
		if writers[strings.ToLower(filepath.Ext(file))] == nil {
			return &command.UsageError{Option: "report", Value: file, Reason: "the ending says no form of report",
				Remedy: "let it end in .html, .json or .csv"}
		}
		if err := writable(file); err != nil {
			return err
		}
	}
	return nil
}

// writable reports why a report cannot be written. It leaves the file as it is.
func writable(file string) error {
	bad := func(reason, remedy string) error {
		return &command.UsageError{Option: "report", Value: file, Reason: reason, Remedy: remedy}
	}
	if info, err := os.Stat(filepath.Dir(file)); err != nil || !info.IsDir() {
		return bad("there is no directory "+filepath.Dir(file), "make it before")
	}
	_, missing := os.Stat(file)
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return bad(fmt.Sprintf("it cannot be written: %v", cause(err)), "give another file")
	}
	_ = f.Close()
	if os.IsNotExist(missing) {
		_ = os.Remove(file)
	}
	return nil
}

// cause returns what is wrong with a file without its name.
func cause(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// writeReports writes the report in all forms that were asked for.
func (m *measurement) writeReports() error {
	var errs []error
	for _, file := range m.plan.reports {
		errs = append(errs, writeFile(file, &m.report))
	}
	return errors.Join(errs...)
}

func writeFile(file string, r *result.Report) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("report %s: it was not written: %w", file, cause(err))
	}
	err = writers[strings.ToLower(filepath.Ext(file))](f, r)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("report %s: it is not complete: %w", file, cause(err))
	}
	return nil
}

// output prints the report: with --json as one line on stdout and for people on notes,
// otherwise for people on stdout.
func (m *measurement) output(stdout, notes io.Writer) error {
	if !m.plan.options.JSON {
		return result.WriteText(stdout, &m.report)
	}
	_ = result.WriteText(notes, &m.report)
	return json.NewEncoder(stdout).Encode(&m.report)
}

// verdict returns an error for each criterion that was not met. That a trial sent less than
// was intended is an error of the trial.
func (m *measurement) verdict() error {
	var errs []error
	for _, t := range m.report.Trials {
		for _, c := range t.Criteria {
			if !c.Passed && c.Name != achieved {
				errs = append(errs, fmt.Errorf("trial %s: %s", t.Name, c))
			}
		}
	}
	return errors.Join(errs...)
}
