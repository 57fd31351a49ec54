package mlrsearch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrBurst is returned for an invalid range of burst lengths.
var ErrBurst = errors.New("invalid burst length")

// A BurstMeasurer sends bursts.
type BurstMeasurer interface {
	// MeasureBurst sends frames with the minimum gap between them, waits until what
	// is on its way has arrived and the device is at rest again, and returns how
	// many were forwarded. It returns soon after ctx is done, with an error.
	MeasureBurst(ctx context.Context, frames int64) (forwarded int64, err error)
}

// A BackToBackConfig is a back-to-back frames test of RFC 9004.
type BackToBackConfig struct {
	// MinFrames and MaxFrames are the shortest and the longest burst. RFC 2544 asks
	// for bursts of at least 2 s at the maximum frame rate as the longest.
	MinFrames, MaxFrames int64
	// Resolution is how close the search comes, in frames; 0 means 1.
	Resolution int64
	// Repetitions is how many searches there are; 0 means 50, as RFC 2544 asks for.
	Repetitions int
	// Verify repeats a burst that lost frames once before it is believed to be too
	// long, which is binary search with loss verification.
	Verify bool

	// MaxFrameRate is the maximum theoretical frame rate of the medium, and
	// Throughput the measured one, in frames a second. Where both are known and
	// Throughput is smaller, the result has buffer times.
	MaxFrameRate, Throughput float64

	// Progress is called after each burst with the share of the bursts that are
	// behind, at least; nil means no calls.
	Progress func(done float64, frames int64)
}

// A BackToBackResult is what such a test found.
type BackToBackResult struct {
	// Frames describes the longest bursts without loss, one of each search.
	Frames Summary
	Bursts []int64
	// AtMax counts the searches in which the longest burst passed: the device may
	// buffer more. BelowMin counts those in which the shortest one failed; their
	// burst is 0.
	AtMax, BelowMin int
	// ImpliedBufferTime is the mean burst at the maximum frame rate.
	// CorrectedBufferTime leaves out what the device forwarded in that time. Both
	// are 0 where they say nothing: at a throughput unknown or not below the
	// maximum frame rate, RFC 9004 does not apply.
	ImpliedBufferTime, CorrectedBufferTime time.Duration
}

// MeasureBackToBack searches for the longest burst that the device forwards without loss,
// repeatedly. With an error it returns the result of the searches so far.
func MeasureBackToBack(ctx context.Context, c BackToBackConfig, m BurstMeasurer) (BackToBackResult, error) {
	if err := c.setDefaults(); err != nil {
		return BackToBackResult{}, fmt.Errorf("back-to-back: %w", err)
	}
	b := &burstSearch{config: c, measurer: m}
	var r BackToBackResult
	var err error
	for b.searches = range c.Repetitions {
		var frames int64
		if frames, err = b.run(ctx); err != nil {
			break
		}
		switch frames {
		case 0:
			r.BelowMin++
		case c.MaxFrames:
			r.AtMax++
		}
		r.Bursts = append(r.Bursts, frames)
	}
	r.summarize(c)
	return r, err
}

func (c *BackToBackConfig) setDefaults() error {
	if c.Resolution == 0 {
		c.Resolution = 1
	}
	if c.Repetitions == 0 {
		c.Repetitions = 50
	}
	switch {
	case c.MinFrames <= 0 || c.MaxFrames < c.MinFrames:
		return fmt.Errorf("%w: from %d to %d frames; the first is above 0, the second not smaller",
			ErrBurst, c.MinFrames, c.MaxFrames)
	case c.Resolution < 0:
		return fmt.Errorf("%w: resolution %d; it is not negative", ErrBurst, c.Resolution)
	case c.Repetitions < 0:
		return fmt.Errorf("%w: %d repetitions; there is at least one", ErrTrials, c.Repetitions)
	}
	return nil
}

func (r *BackToBackResult) summarize(c BackToBackConfig) {
	figures := make([]float64, len(r.Bursts))
	for i, frames := range r.Bursts {
		figures[i] = float64(frames)
	}
	r.Frames = summarize(figures)
	if c.Throughput > 0 && c.Throughput < c.MaxFrameRate && !math.IsInf(c.MaxFrameRate, 0) {
		implied := r.Frames.Mean / c.MaxFrameRate
		corrected := implied - implied*c.Throughput/c.MaxFrameRate
		r.ImpliedBufferTime = time.Duration(implied * float64(time.Second))
		r.CorrectedBufferTime = time.Duration(corrected * float64(time.Second))
	}
}

// A burstSearch searches for one longest burst after the other.
type burstSearch struct {
	config   BackToBackConfig
	measurer BurstMeasurer
	searches int // that have ended
}

// run returns the longest burst that passes; 0 if the shortest one does not.
func (b *burstSearch) run(ctx context.Context) (int64, error) {
	upper := b.config.MaxFrames
	passes, err := b.passes(ctx, upper)
	if err != nil || passes {
		return upper, err
	}
	if upper == b.config.MinFrames {
		return 0, nil
	}
	if passes, err = b.passes(ctx, b.config.MinFrames); err != nil || !passes {
		return 0, err
	}
	lower := b.config.MinFrames
	for upper-lower > b.config.Resolution {
		middle := lower + (upper-lower)/2
		if passes, err = b.passes(ctx, middle); err != nil {
			return 0, err
		}
		if passes {
			lower = middle
		} else {
			upper = middle
		}
	}
	return lower, nil
}

// passes sends a burst, and reports whether nothing was lost.
func (b *burstSearch) passes(ctx context.Context, frames int64) (bool, error) {
	for attempt := 0; ; attempt++ {
		if ctx.Err() != nil {
			return false, b.interrupted(ctx)
		}
		forwarded, err := b.measurer.MeasureBurst(ctx, frames)
		if err == nil && forwarded < 0 {
			err = fmt.Errorf("%w: %d forwarded; counts are not negative", ErrTrialOutput, forwarded)
		}
		switch {
		case err != nil && ctx.Err() != nil:
			return false, b.interrupted(ctx)
		case err != nil:
			return false, fmt.Errorf("back-to-back: burst of %d frames: %w", frames, err)
		}
		if b.config.Progress != nil {
			b.config.Progress(float64(b.searches)/float64(b.config.Repetitions), frames)
		}
		if forwarded == frames || !b.config.Verify || attempt == 1 {
			return forwarded == frames, nil
		}
	}
}

func (b *burstSearch) interrupted(ctx context.Context) error {
	return fmt.Errorf("back-to-back: interrupted after %d searches: %w", b.searches, context.Cause(ctx))
}
