package result

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestReadJSONRefuses(t *testing.T) {
	for text, want := range map[string]error{
		``:                                  ErrNotReport,
		`[]`:                                ErrNotReport,
		`{}`:                                ErrNotReport,
		`{"schema":"l2fwd/1"}`:              ErrNotReport,
		`{"schema":"pktgen/0"}`:             ErrNotReport,
		`{"schema":"pktgen/x"}`:             ErrNotReport,
		`{"schema":"pktgen/2"}`:             ErrNewerSchema,
		`{"schema":"pktgen/2","trials":1}`:  ErrNewerSchema,
		`{"schema":"pktgen/1","trials":1}`:  ErrNotReport,
		`{"schema":"pktgen/1"} {}`:          ErrNotReport,
		`{"schema":"pktgen/1","strange":1}`: nil,
	} {
		_, err := ReadJSON(strings.NewReader(text))
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, not %v", text, err, want)
		}
	}
}

func TestWriteJSONStampsTheSchema(t *testing.T) {
	var b bytes.Buffer
	if err := WriteJSON(&b, &Report{Title: "nothing"}); err != nil {
		t.Fatal(err)
	}
	got, err := ReadJSON(&b)
	if err != nil || got.Schema != Schema || got.Title != "nothing" {
		t.Errorf("read %+v, %v", got, err)
	}
}
