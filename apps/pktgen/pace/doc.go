// Package pace says when packets are due: a [Rate] says how many there are in a second,
// a [Pattern] how they follow each other, and a [Pacer] how many are due now.
//
//	rate, err := pace.ParseRate("1Mpps")
//	pps, err := rate.PPS(60, 0)
//	pacer, err := pace.New(pace.Config{PPS: pps})
//	pacer.Start(now(), pace.Forever)
//	for {
//		if n := pacer.Due(now()); n > 0 {
//			pacer.Advance(send(n))
//		}
//	}
//
// Times are nanoseconds on a monotonic clock, which the caller reads. Nothing here
// sleeps or has a clock of its own.
//
// # The schedule
//
// The schedule of a pacer is a function of time alone. The first packet is due at the
// start, and so are n packets by the time that the rate takes for n-1: a second at
// 1,000 packets has exactly 1,000, at 0 ms, 1 ms and so on. It is computed in integers
// from the moment of the last change of the rate, so that there is no error that adds up:
// after hours the packets are due when they were to be.
//
// A sender that is late finds more packets due and sends them at once. What it is more
// than Config.CatchUp behind with is left out and counted as missed, so that the end of a
// long pause does not look like an attack.
//
// # The quantum
//
// No sender sends ten million single packets in a second, and a burst of 32 that is paced is
// not 32 packets that are. The quantum is how many packets the pacer collects before they
// are due together: 1 below a million packets a second, then as many as there are in two
// microseconds, and at most Config.Burst. Packets of a Poisson process are each due
// on their own.
package pace
