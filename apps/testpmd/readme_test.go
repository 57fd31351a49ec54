package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestReadme: README.md has every command that the prompt carries out, as help has it.
func TestReadme(t *testing.T) {
	want := commandTables()
	if *update {
		if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Error("README.md is not what the commands say: run go test ./apps/testpmd -run TestReadme -update")
	}
}

// commandTables returns a table for each section of help.
func commandTables() string {
	var b strings.Builder
	b.WriteString("# The commands of testpmd -i\n\n" +
		"Made from the tables that `help` and completion use. `help` at the prompt also lists the commands\n" +
		"of dpdk-testpmd that are refused here, each with the reason.\n")
	tester := &tester{plan: &plan{}}
	cell := strings.NewReplacer("|", "\\|", "\n", " ")
	for _, s := range sections {
		var rows strings.Builder
		for _, c := range tester.commands() {
			if c.Section == s.name && c.Refused == "" {
				fmt.Fprintf(&rows, "| `%s` | %s |\n", cell.Replace(c.Form), cell.Replace(c.Help))
			}
		}
		if rows.Len() > 0 {
			fmt.Fprintf(&b, "\n## %s\n\n| command | what it does |\n| --- | --- |\n%s", s.title, rows.String())
		}
	}
	return b.String()
}
