package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the command devbind available to scripts and tests: it is this test binary under
// another name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"devbind": main})
}

// TestScripts runs the command lines in testdata, on the files of functions that the scripts have.
// No kernel reacts to what is written there.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true})
}
