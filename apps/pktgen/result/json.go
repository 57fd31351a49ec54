package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Errors of ReadJSON.
var (
	// ErrNotReport says that what was read is no report of pktgen.
	ErrNotReport = errors.New("not a report of pktgen")
	// ErrNewerSchema says that the report was written by a newer pktgen.
	ErrNewerSchema = errors.New("a newer schema than this program reads")
)

// schemaName and schemaVersion are the parts of Schema.
const (
	schemaName    = "pktgen/"
	schemaVersion = 1
)

// WriteJSON writes the report as an indented JSON document. It sets no member but schema, and
// refuses figures that are not finite or negative.
func WriteJSON(w io.Writer, r *Report) error {
	if err := r.check(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	stamped := *r
	stamped.Schema = Schema
	text, err := json.MarshalIndent(&stamped, "", "  ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// ReadJSON reads what WriteJSON wrote. Members that it does not know are ignored: a version
// of the schema may gain members, but none changes its meaning or goes away.
func ReadJSON(r io.Reader) (*Report, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if err := checkSchema(text); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	report := new(Report)
	if err := json.Unmarshal(text, report); err != nil {
		return nil, fmt.Errorf("report: %w: %w", ErrNotReport, err)
	}
	if err := report.check(); err != nil {
		return nil, fmt.Errorf("report: %w: %w", ErrNotReport, err)
	}
	return report, nil
}

// checkSchema looks at the version alone, before the members that depend on it.
func checkSchema(text []byte) error {
	var head struct {
		Schema *string `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("%w: %w", ErrNotReport, err)
	}
	if head.Schema == nil {
		return fmt.Errorf("%w: it has no member \"schema\"; pktgen --json writes reports", ErrNotReport)
	}
	version, found := strings.CutPrefix(*head.Schema, schemaName)
	number, err := strconv.Atoi(version)
	switch {
	case !found || err != nil || number < 1:
		return fmt.Errorf("%w: schema is %q, not %q", ErrNotReport, *head.Schema, Schema)
	case number > schemaVersion:
		return fmt.Errorf("schema is %q: %w, which is %q; use the pktgen that wrote it",
			*head.Schema, ErrNewerSchema, Schema)
	}
	return nil
}
