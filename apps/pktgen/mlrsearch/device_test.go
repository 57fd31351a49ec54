package mlrsearch_test

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
)

// Loads of the tests: CSIT's minimum, and 64-byte frames on 10 Gbit/s.
const (
	minLoad = 9001.0
	maxLoad = 14.88e6
)

// A shape is how much a device forwards when more than its capacity is offered.
type shape string

const (
	hard     shape = "hard"     // as much as it can
	collapse shape = "collapse" // less, the more is offered
	soft     shape = "soft"     // a part of what is too much, up to a limit
)

// A device is a simulated device under test with known behaviour. Time is virtual.
type device struct {
	capacity float64 // frames per second that it forwards without loss
	shape    shape
	jitter   float64 // the capacity of a trial is lower by up to this share
	spikes   float64 // probability of a trial that loses spikeLoss at any load
	random   *rand.Rand

	elapsed time.Duration
	trials  int
}

const spikeLoss = 0.02

func newDevice(capacity float64, s shape, seed uint64) *device {
	return &device{capacity: capacity, shape: s, random: rand.New(rand.NewPCG(seed, 1))}
}

// forwards returns the rate that the device forwards at a load.
func (d *device) forwards(capacity, load float64) float64 {
	over := load - capacity
	switch {
	case over <= 0:
		return load
	case d.shape == collapse:
		return max(0.3*capacity, capacity-0.2*over)
	case d.shape == soft:
		return min(capacity+0.9*over, 1.1*capacity)
	}
	return capacity
}

// passes returns the largest load at which the loss ratio is at most the given one, when
// the capacity is lower by a share.
func (d *device) passes(loss, lower float64) float64 {
	capacity := d.capacity * (1 - lower)
	low, high := capacity, 2*capacity
	for range 100 {
		middle := (low + high) / 2
		if 1-d.forwards(capacity, middle)/middle <= loss {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

func (d *device) Measure(_ context.Context, load float64, duration time.Duration) (mlrsearch.TrialOutput, error) {
	d.elapsed += duration
	d.trials++
	offered := math.Floor(load * duration.Seconds())
	capacity := d.capacity * (1 - d.jitter*d.random.Float64())
	loss := 1 - d.forwards(capacity, load)/load
	if d.random.Float64() < d.spikes {
		loss = max(loss, spikeLoss)
	}
	lost := min(offered, math.Ceil(offered*loss))
	return mlrsearch.TrialOutput{
		Intended: int64(offered), Offered: int64(offered), Forwarded: int64(offered - lost),
	}, nil
}

// runs is how many devices of a kind the tests search.
const runs = 100

// capacityOf returns the capacity of one of them: between 2 % and 85 % of maxLoad, evenly
// spread on a logarithmic scale.
func capacityOf(run int) float64 {
	return 0.02 * maxLoad * math.Pow(0.85/0.02, (float64(run)+0.5)/runs)
}
