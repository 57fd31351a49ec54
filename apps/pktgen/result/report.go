// Package result is what a measurement leaves behind: a Report, which says what was
// measured, how and on what, as JSON with a versioned schema, as CSV, and as one HTML
// file that opens without a network. Compare says what differs between two reports.
//
// The file pktgen-1.schema.json beside the sources is the JSON Schema of the document.
//
// Units are the same everywhere and stand in the names of the JSON members: times are
// nanoseconds (_ns), rates are packets per second (pps) and bits per second (_bps),
// ratios are between 0 and 1, lengths are bytes. A frame's length is what the device
// sees, without the 4 bytes of the frame check sequence (FCS): RFC 2544's 64 is 60.
package result

// Schema names the version of the JSON document that this package reads and writes.
const Schema = "pktgen/1"

// Report is all that a run of pktgen found out, and what must be known about how it did.
type Report struct {
	Schema string `json:"schema"` // "pktgen/1"
	// Title is what the report is about, in a few words.
	Title      string     `json:"title,omitempty"`
	Identity   Identity   `json:"identity"`
	Disclosure Disclosure `json:"disclosure"`

	// Trials are single trials of a load that was asked for.
	Trials        []Trial         `json:"trials,omitempty"`
	Searches      []Search        `json:"searches,omitempty"`
	LossCurves    []LossCurve     `json:"loss_curves,omitempty"`
	LatencyAtLoad []LatencyAtLoad `json:"latency_at_load,omitempty"`
	BackToBack    []BackToBack    `json:"back_to_back,omitempty"`
	MRR           []MRR           `json:"mrr,omitempty"`

	// Interrupted reports that it ended before all that was asked for was measured.
	Interrupted bool `json:"interrupted,omitempty"`
	// Passed is false if a pass criterion was given and not met. Conclude sets it.
	Passed bool `json:"passed"`
	// Notes is what a reader has to know before quoting a figure: emulated devices, a
	// generator that is itself the limit, what differs from RFC 2544. Conclude sets it.
	Notes []Note `json:"notes,omitempty"`
}

// Empty reports whether nothing was measured.
func (r *Report) Empty() bool {
	return len(r.Trials)+len(r.Searches)+len(r.LossCurves)+len(r.LatencyAtLoad)+len(r.BackToBack)+len(r.MRR) == 0
}

// Note is a reservation about the figures of a report.
type Note struct {
	Kind NoteKind `json:"kind"`
	Text string   `json:"text"`
}

// NoteKind says what sort of reservation a Note is, for programs.
type NoteKind string

// The kinds of notes.
const (
	GeneratorBound NoteKind = "generator-bound" // the generator may be what was measured
	EmulatedDevice NoteKind = "emulated-device" // figures are for orientation only
	RFC2544        NoteKind = "rfc2544"         // a deviation from RFC 2544's procedure
	Irregular      NoteKind = "irregular"       // a search without both bounds
	ShortRate      NoteKind = "short-rate"      // less was sent than was intended
	Procedure      NoteKind = "procedure"       // anything else about how it was measured
)
