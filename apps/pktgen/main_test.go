package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the command pktgen available to tests: it is this test binary under
// another name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pktgen": main})
}
