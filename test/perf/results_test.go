package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// published is a row of RESULTS.md.
type published struct {
	heat         string // the title of its table
	cells        []string
	work, path   string
	size         string
	mine, theirs float64
}

// readResults returns the rows of the tables of rates.
func readResults(t *testing.T) []published {
	t.Helper()
	text, err := os.ReadFile("RESULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []published
	heat := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			heat = title
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 10 || !strings.HasPrefix(heat, "Heat") || cells[0] == "work" ||
			strings.HasPrefix(cells[0], "-") {
			continue
		}
		row := published{heat: heat, cells: cells, work: cells[0], path: cells[1], size: cells[2]}
		for i, rate := range []*float64{&row.mine, &row.theirs} {
			median, _, _ := strings.Cut(cells[3+i], " ")
			if *rate, err = strconv.ParseFloat(median, 64); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// TestPublishedBest checks that in RESULTS.md the rows of best paths are called best
// where no other row of their table, work and size shows a higher rate, and qualified
// elsewhere.
func TestPublishedBest(t *testing.T) {
	rows := readResults(t)
	ranked := 0
	for _, r := range rows {
		rank, _, ok := strings.Cut(r.path, ": ")
		if !ok {
			continue
		}
		ranked++
		want := "best"
		for _, other := range rows {
			same := other.heat == r.heat && other.work == r.work && other.size == r.size
			if same && (other.mine > r.mine || other.theirs > r.theirs) {
				want = "qualified"
			}
		}
		if rank != want {
			t.Errorf("%s, %s, %s bytes: %q is called %s, not %s", r.heat, r.work, r.size,
				r.path, rank, want)
		}
	}
	if len(rows) < 48 || ranked < 18 {
		t.Errorf("%d rows, %d of best paths; a race of two heats has 48 and 18", len(rows), ranked)
	}
}

// TestReadmeRows checks that the rows of the README's table are rows of RESULTS.md.
func TestReadmeRows(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "| ours, Mpps |")
	section, _, _ = strings.Cut(section, "\n\n")
	found := 0
	for line := range strings.Lines(section) {
		for _, r := range readResults(t) {
			// The README leaves columns out, and names the heat by its back end.
			shown := "| " + strings.Join([]string{r.work, r.path}, " | ") + " |"
			rates := "| " + strings.Join(r.cells[3:7], " | ") + " |"
			if strings.Contains(line, shown) && strings.Contains(line, rates) {
				found++
			}
		}
	}
	if found != 5 {
		t.Errorf("%d of five rows of the README are in RESULTS.md", found)
	}
}
