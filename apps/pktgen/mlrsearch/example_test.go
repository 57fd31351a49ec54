package mlrsearch_test

import (
	"context"
	"fmt"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
)

// A switch that forwards a million frames a second and no more, searched for the rate
// without loss and for the rate at half a percent of loss, together.
func ExampleSearch() {
	config := mlrsearch.Config{MinLoad: 10e3, MaxLoad: 14.88e6, WarmUp: time.Second}
	for _, name := range []string{"csit-ndr", "csit-pdr"} {
		preset, err := mlrsearch.PresetByName(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		config.Goals = append(config.Goals, preset.Goals...)
	}

	// A Measurer of a program sends and counts; this one calculates.
	measurer := mlrsearch.MeasurerFunc(
		func(_ context.Context, load float64, duration time.Duration) (mlrsearch.TrialOutput, error) {
			sent := int64(load * duration.Seconds())
			return mlrsearch.TrialOutput{
				Intended: sent, Offered: sent,
				Forwarded: min(sent, int64(1e6*duration.Seconds())),
			}, nil
		})

	result, err := mlrsearch.Search(context.Background(), config, measurer)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range result.Goals {
		fmt.Printf("%s: %s\n", r.Goal.Name, r.Status)
		fmt.Printf("  from %.0f to %.0f frames/s, conditional throughput %.0f\n",
			r.Lower.Load, r.Upper.Load, r.ConditionalThroughput)
	}
	fmt.Println(result.Elapsed, "of trials")
	// Output:
	// NDR: regular
	//   from 997228 to 1002238 frames/s, conditional throughput 997228
	// PDR: regular
	//   from 1002238 to 1007274 frames/s, conditional throughput 1000000
	// 41s of trials
}
