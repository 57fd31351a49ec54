package report

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"
)

// TestColumnsStay: columns do not move while numbers grow and shrink again, and those of
// one line are below those of another.
func TestColumnsStay(t *testing.T) {
	m := testModel(2, 1000000)
	places := func() []int {
		var list []int
		for _, l := range m.lines() {
			l = ansi.Strip(l)
			for i := range l {
				if strings.HasPrefix(l[i:], "RX-errors") {
					list = append(list, i)
				}
			}
		}
		return list
	}
	wide := places()
	if len(wide) != 3 || wide[1] != wide[2] {
		t.Fatalf("RX-errors is at %v", wide)
	}
	for i := range m.sample.ports {
		m.sample.ports[i].RxPackets, m.sample.ports[i].RxBytes = 5, 300
	}
	if got := places(); fmt.Sprint(got) != fmt.Sprint(wide) {
		t.Errorf("RX-errors moves from %v to %v", wide, got)
	}
}

// TestNarrowTable: the columns that matter least are left out, but not one that shows a
// loss; words are cut before that.
func TestNarrowTable(t *testing.T) {
	m := testModel(1, 0)
	s := streamSample{StreamRow: StreamRow{Name: "a stream of some name", Route: "0 -> 1", Rate: "1 Mpps", Tracked: true}}
	m.sample.streams = []streamSample{s}
	for _, c := range []struct {
		width         int
		corrupt       uint64
		shows, leaves string
	}{
		{120, 0, "RX-packets", "Rx-bps"},
		{60, 0, "Rx", "corrupt"},
		{60, 3, "corrupt", "duplicates"},
		{30, 0, "lost", "reordered"},
		{30, 3, "corrupt", "reordered"},
	} {
		m.columns = columns{}
		m.width, m.sample.streams[0].Corrupt = c.width, c.corrupt
		lines := m.streams(10)[0]
		text := ansi.Strip(strings.Join(lines, "\n"))
		if !strings.Contains(text, c.shows) || strings.Contains(text, c.leaves) || !strings.Contains(text, "a stream") {
			t.Errorf("%d wide, %d corrupt:\n%s", c.width, c.corrupt, text)
		}
	}
	m.width, m.sample.streams[0].Rate = 120, ""
	if text := strings.Join(m.streams(10)[0], "\n"); strings.Contains(text, "rate") {
		t.Errorf("a column with nothing in it:\n%s", text)
	}
}

// TestBins: a histogram has every packet once, in bins that rise and contain them, as fine
// as there is room for.
func TestBins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(leastBins, mostBins).Draw(t, "lines")
		var l Latency
		at, want := time.Duration(0), uint64(0)
		for range rapid.IntRange(1, 50).Draw(t, "buckets") {
			from := at + time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "gap"))
			at = from + time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "size"))
			packets := uint64(rapid.Uint32().Draw(t, "packets"))
			want += packets
			l.Buckets = append(l.Buckets, Bucket{from, at, packets})
		}
		bins := l.bins(n)
		if want == 0 {
			if bins != nil {
				t.Fatalf("bins of nothing: %v", bins)
			}
			return
		}
		if len(bins) < 2 || len(bins) > n {
			t.Fatalf("%d bins for %d lines", len(bins), n)
		}
		var got uint64
		for i, b := range bins {
			got += b.packets
			if i > 0 && b.from <= bins[i-1].from {
				t.Fatalf("bins do not rise: %v", bins)
			}
		}
		if got != want || bins[0].packets == 0 {
			t.Fatalf("%d packets of %d: %v", got, want, bins)
		}
		if bins[len(bins)-1].packets > uint64(math.Ceil(float64(want)*tail)) {
			t.Fatalf("the last bin is for the tail: %v of %d", bins, want)
		}
	})
}

// TestHistogram: a distribution as it is shown, with its tail on one line.
func TestHistogram(t *testing.T) {
	l := Latency{Buckets: []Bucket{{1000, 1099, 100}, {2000, 2099, 9899}, {5 * time.Millisecond, 6 * time.Millisecond, 1}}}
	want := []string{
		"1.00 µs ▏             1.00 %",
		"1.25 µs               0.00 %",
		"1.60 µs               0.00 %",
		"2.00 µs ██████████   98.99 %",
		"2.50 µs+▏             0.01 %",
	}
	if got := l.histogram(8, 28); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := l.histogram(4, 28); len(got) > 4 || !strings.HasPrefix(got[0], "1.00 µs") {
		t.Errorf("in four lines:\n%s", strings.Join(got, "\n"))
	}
}

// TestLog: the log shows the newest messages and follows them, unless the user has moved
// to older ones, which then stay. Long ones are wrapped, and what would move the cursor is
// left out.
func TestLog(t *testing.T) {
	m := testModel(1, 0)
	m.page, m.width, m.height = logPage, 40, 12
	shows := func(first, last string) {
		t.Helper()
		lines := m.lines()
		for len(lines) > 0 && lines[len(lines)-2] == "" {
			lines = append(lines[:len(lines)-2], lines[len(lines)-1])
		}
		if got := ansi.Strip(lines[2]); got != first {
			t.Errorf("the log begins with %q, want %q", got, first)
		}
		if got := ansi.Strip(lines[len(lines)-2]); got != last {
			t.Errorf("the log ends with %q, want %q", got, last)
		}
	}
	shows("no messages", "no messages")
	for i := range 100 {
		m.messages.add([]byte(fmt.Sprintf("message %d\n", i)))
	}
	shows("message 91", "message 99")
	m.key("up")
	shows("message 90", "91 to 98 of 100; End follows")
	m.messages.add([]byte("message 100\n"))
	shows("message 90", "91 to 98 of 101; End follows")
	m.key("pgup")
	shows("message 82", "83 to 90 of 101; End follows")
	m.key("home")
	shows("message 0", "1 to 8 of 101; End follows")
	m.key("down")
	shows("message 1", "2 to 9 of 101; End follows")
	m.key("end")
	shows("message 92", "message 100")
	m.messages.add([]byte("\x1b[31mport 0: the \tback end does not answer; see whether it runs\x1b[m\n"))
	shows("message 94", "see whether it runs")
	m.key("up")
	m.key("down")
	shows("message 94", "see whether it runs")
	m.messages.add([]byte("newest\n"))
	shows("message 95", "newest")
}

// TestLogBounded: messages without end are dropped at the old end, and a position in them
// moves on.
func TestLogBounded(t *testing.T) {
	m := testModel(1, 0)
	m.page = logPage
	m.messages.add([]byte("first\nsecond\n"))
	m.key("home")
	for i := range maxMessages + 50 {
		m.messages.add([]byte(fmt.Sprintf("message %d\n", i)))
	}
	m.view.top = 0
	if got := m.lines()[2]; got != "message 50" {
		t.Errorf("the oldest message is %q", got)
	}
	if all := string(m.messages.all()); !strings.HasPrefix(all, "52 lines are not shown\nmessage 50\n") {
		t.Errorf("all begins with %.80q", all)
	}
}

// TestProgressWords: how far a search is, as people say it.
func TestProgressWords(t *testing.T) {
	for want, p := range map[string]Progress{
		"0 %": {Left: -1}, "50 %  59 s left": {Done: 0.5, Left: 59 * time.Second}, "99 %  1 min 00 s left": {Done: 0.999, Left: time.Minute},
		"0 %  2 h 05 min left": {Done: math.NaN(), Left: 2*time.Hour + 5*time.Minute}, "100 %  done": {Done: 2},
	} {
		if got := p.words(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
