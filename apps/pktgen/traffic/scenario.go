package traffic

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
)

// Scenario is streams as a YAML file describes them. What the file may have is listed by
// [Reference].
type Scenario struct {
	Version int      `yaml:"version" json:"version" default:"1" doc:"of this format: 1"`
	Streams []Stream `yaml:"streams" json:"streams" doc:"what is sent"`

	file  string
	lines map[string]int // of the file, by the path of what is written there
}

const (
	maxScenario = 4 << 20
	maxStreams  = 4096
)

// Load reads a scenario file. An error is an [*Error] that names file, line and field.
func Load(file string) (*Scenario, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, &Error{File: file, Reason: "it cannot be read", Err: withoutPath(err)}
	}
	defer f.Close()
	data, err := readAtMost(f, maxScenario)
	if err != nil {
		return nil, &Error{File: file, Reason: "it cannot be read", Err: withoutPath(err)}
	}
	return Parse(file, data)
}

// Parse reads a scenario from the contents of a file and checks it as far as that is
// possible without ports: every stream is compiled. An error is an [*Error].
func Parse(file string, data []byte) (*Scenario, error) {
	s := &Scenario{file: file, lines: map[string]int{}}
	if err := decodeYAML(data, s); err != nil {
		return nil, s.place(err, "")
	}
	if err := s.check(); err != nil {
		return nil, s.place(err, "")
	}
	for i := range s.Streams {
		if err := s.checkStream(i); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// check checks what concerns all streams.
func (s *Scenario) check() error {
	switch {
	case s.Version != 1:
		return &Error{Field: "version", Value: fmt.Sprint(s.Version), Reason: "not a version that is known", Remedy: "write version: 1"}
	case len(s.Streams) == 0:
		return &Error{Field: "streams", Reason: "nothing would be sent", Remedy: "describe at least one stream; pktgen help scenario shows how"}
	case len(s.Streams) > maxStreams:
		return &Error{Field: "streams", Value: fmt.Sprint(len(s.Streams)), Reason: fmt.Sprintf("there may be %d", maxStreams),
			Remedy: "let fields change instead"}
	}
	names := map[string]int{}
	for i := range s.Streams {
		name := s.Streams[i].Name
		if name == "" {
			name = fmt.Sprintf("stream%d", i)
			s.Streams[i].Name = name
		}
		if k, ok := names[name]; ok {
			return &Error{Field: fmt.Sprintf("streams[%d].name", i), Value: name,
				Reason: fmt.Sprintf("streams[%d] has it too", k), Remedy: "give each stream a name of its own"}
		}
		names[name] = i
	}
	return nil
}

// CheckPorts returns an [*Error] for a stream that leaves by a port that is not there.
func (s *Scenario) CheckPorts(ports int) error {
	for i := range s.Streams {
		if port := s.Streams[i].Port; port >= ports {
			return s.place(&Error{Field: "port", Value: fmt.Sprint(port), Reason: fmt.Sprintf("there are %d ports", ports),
				Remedy: "ports are numbered from 0 in the order of the command line"}, fmt.Sprintf("streams[%d].", i))
		}
	}
	return nil
}

// checkStream checks what a stream has for itself.
func (s *Scenario) checkStream(i int) error {
	st := &s.Streams[i]
	prefix := fmt.Sprintf("streams[%d].", i)
	if _, _, _, err := st.Pacing(); err != nil {
		return s.place(err, prefix)
	}
	if st.Replay == nil {
		_, err := s.Compile(i, Options{})
		return err
	}
	for _, name := range []string{"packet", "size", "payload", "fields", "track", "latency", "pattern"} {
		if _, written := s.lines[prefix+name]; written {
			return s.place(&Error{Field: name, Reason: "it means nothing for a replay, which sends frames as they are",
				Remedy: "leave it out"}, prefix)
		}
	}
	err := st.checkReplay()
	if err == nil && st.Replay.Speed == 0 {
		err = &Error{Field: "replay.speed", Value: "0", Reason: "nothing would be sent", Remedy: "2 is twice as fast, 0.5 half as fast"}
	}
	if err != nil {
		return s.place(err, prefix)
	}
	return nil
}

// Compile compiles a stream, which is no replay, by its number. An error is an [*Error]
// that names file, line and field.
func (s *Scenario) Compile(i int, o Options) (*Program, error) {
	p, err := s.Streams[i].Compile(o)
	if err != nil {
		return nil, s.place(err, fmt.Sprintf("streams[%d].", i))
	}
	return p, nil
}

// OpenReplay opens the capture file of a stream that is a replay, by its number.
func (s *Scenario) OpenReplay(i int, o Options) (*Replay, error) {
	st := &s.Streams[i]
	if err := st.checkReplay(); err != nil {
		return nil, s.place(err, fmt.Sprintf("streams[%d].", i))
	}
	r, err := OpenReplay(st.Replay.relative(s.file), o)
	if err != nil {
		return nil, s.place(err, fmt.Sprintf("streams[%d].replay.", i))
	}
	return r, nil
}

// place adds file and line to an error.
func (s *Scenario) place(err error, prefix string) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	e.Field = strings.TrimSuffix(prefix+e.Field, ".")
	if e.File == "" {
		e.File = s.file
	}
	if e.Line > 0 || e.File != s.file {
		return e
	}
	for path := e.Field; path != ""; path = parent(path) {
		if line, ok := s.lines[path]; ok {
			e.Line = line
			break
		}
	}
	return e
}

// parent returns the path of what holds something, as streams[0] is of streams[0].name.
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// Line returns in which line of the file a stream stands, by its number; 0 if it is not
// known.
func (s *Scenario) Line(i int) int { return s.lines[fmt.Sprintf("streams[%d]", i)] }

// Pacing returns the rate and the pattern of a stream as package pace has them. set is
// false if the stream has no rate of its own.
func (s *Stream) Pacing() (rate pace.Rate, pattern pace.Pattern, set bool, err error) {
	if s.Rate != "" {
		if rate, err = pace.ParseRate(s.Rate); err != nil {
			return rate, pattern, true, paceError("rate", s.Rate, err)
		}
	}
	pattern, err = s.Pattern.pace()
	return rate, pattern, s.Rate != "", err
}

// paceError makes an [*Error] of one of package pace.
func paceError(field, value string, err error) error {
	var e *pace.Error
	if errors.As(err, &e) {
		return &Error{Field: field, Value: value, Reason: e.Reason, Remedy: e.Remedy, Err: nil}
	}
	return &Error{Field: field, Value: value, Err: err}
}
