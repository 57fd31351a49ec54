package result_test

import (
	"fmt"
	"os"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// A program that measured something with the packages beside this one reports it.
func Example() {
	size := result.FixedSize(60)
	r := &result.Report{
		Title:    "a trial of my own",
		Identity: result.NewIdentity("mytest", os.Args),
		Trials: []result.Trial{{
			Name: "1 Mpps", Size: size, Intended: result.NewRate(1e6, size.Mean), Duration: int64(10 * time.Second),
			Sent: 9_990_000, Unsent: 10_000, Lost: 10_000, LossRatio: result.LossRatio(10_000_000, 10_000),
			Criteria: []result.Criterion{{Name: "max-loss", Limit: 0.01, Measured: 0.001, Unit: "ratio", Passed: true}},
		}},
	}
	r.Disclosure.Host = result.CollectHost("/")
	r.Disclosure.Devices = []result.Device{{Name: "0", Mode: "emulated", Emulated: true}}
	r.Identity.End = time.Now().UTC()
	r.Conclude()
	fmt.Println("passed:", r.Passed)
	for _, n := range r.Notes {
		if n.Kind == result.ShortRate {
			fmt.Println(n.Text)
		}
	}
	// result.WriteJSON, WriteCSV and WriteHTML write it to files.

	// Output:
	// passed: true
	// 1 Mpps: 10,000 packets (0.1 %) were due and not sent; they count as lost
}

// What differs between two reports is told only if their repetitions show how much a figure
// varies by itself.
func ExampleCompare() {
	report := func(received ...float64) *result.Report {
		return &result.Report{MRR: []result.MRR{{Size: result.FixedSize(60), Trials: received}}}
	}
	old := report(8.1e6, 8.0e6, 8.2e6, 8.1e6)
	for _, now := range []*result.Report{report(8.15e6, 8.0e6, 8.1e6, 8.2e6), report(7.1e6, 7.2e6, 7.0e6, 7.1e6), report(7.1e6)} {
		c := result.Compare(old, now)
		fmt.Printf("%s (status %d): %s\n", c.Outcome, c.Status(), c.Figures[0].Reason)
	}
	// Output:
	// same (status 0): p=0.971, n=4+4
	// worse (status 1): p=0.029, n=4+4
	// cannot tell (status 3): n=4+1, too few
}
