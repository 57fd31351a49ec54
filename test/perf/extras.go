package main

import (
	"context"
	"errors"
	"fmt"
)

// extras are the figures that are not packets a second, of both drivers.
type extras struct {
	// Start is from the start of the program to the first packet at the back
	// end, in milliseconds.
	Start map[string][]float64 `json:"start_ms"`
	// Resident is memory in MiB, hugepages not counted; ResidentNoHuge that of
	// programs that were told to use none.
	Resident       map[string][]float64 `json:"resident_mib"`
	ResidentNoHuge map[string][]float64 `json:"resident_no_huge_mib"`
}

// measureExtras has both drivers start and stop in turn, sending to net_vhost.
func (l *lab) measureExtras(ctx context.Context) (e extras, err error) {
	e = extras{map[string][]float64{}, map[string][]float64{}, map[string][]float64{}}
	b, err := l.startBackEnd(ctx, 1, transmit, 64)
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	for range l.options.Pairs {
		for _, s := range []side{ours, dpdk} {
			name := s.String()
			j := job{work: transmit, path: paths()[0], size: 64}
			r, err := l.run(ctx, b, s, j)
			if err != nil {
				return e, err
			}
			e.Start[name] = append(e.Start[name], float64(r.FirstPacket.Microseconds())/1e3)
			e.Resident[name] = append(e.Resident[name], mib(r.Resident))
			j.noHuge = true
			if r, err = l.run(ctx, b, s, j); err != nil {
				return e, fmt.Errorf("without hugepages: %w", err)
			}
			e.ResidentNoHuge[name] = append(e.ResidentNoHuge[name], mib(r.Resident))
			l.say("%s: first packet after %.0f ms, %.0f MiB resident, %.0f MiB in a run without hugepages",
				name, last(e.Start[name]), last(e.Resident[name]), last(e.ResidentNoHuge[name]))
		}
	}
	return e, nil
}

func last(values []float64) float64 { return values[len(values)-1] }

func mib(bytes uint64) float64 { return float64(bytes) / (1 << 20) }
