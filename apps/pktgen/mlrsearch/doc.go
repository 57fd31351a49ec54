// Package mlrsearch searches for the load that a network device sustains, as RFC 9971
// (Multiple Loss Ratio Search, MLRsearch) describes it. It knows nothing of packets: the
// caller, which the RFC calls the manager, provides a [Measurer] that performs one trial at
// a load for a duration and returns what it counted. [Search] is the RFC's controller. It
// chooses loads and durations until it has bounds that are close enough for every goal.
//
// # From RFC 2544 throughput to conditional throughput
//
// RFC 2544 has one question for a load: was any frame lost in 60 s? The throughput is the
// largest load at which none was. A device in software rarely gives one answer to that. A
// timer interrupt costs a few frames once in a while, and whether one falls into the trial
// is chance. The result is then the luckiest load, and another one the next day.
//
// A [Goal] asks the question so that chance matters less:
//
//   - a trial passes if it loses at most LossRatio of its frames: it is a low-loss trial;
//   - a load is tried for DurationSum, in trials of FinalTrialDuration;
//   - a load passes if at most ExceedRatio of that time are high-loss trials.
//
// With no loss, one trial of 60 s and an exceed ratio of 0 that is RFC 2544 throughput; see
// the preset rfc2544. With 21 trials of 1 s of which half may fail it is CSIT's non-drop
// rate, and a few unlucky trials change nothing.
//
// A load that passes is a lower bound for the goal, and one that fails an upper bound, as
// soon as the trials that are missing could not change that: 11 of the 21 trials without
// loss are enough. Trials may contradict each other across loads as well. The search is
// conservative then. The relevant upper bound is the smallest load that fails, and the
// relevant lower bound is the largest one that passes below it. The result is regular when
// the two are within the goal's width of each other.
//
// The lower bound is a load, and so what was sent. With loss allowed that is not what came
// back: a device which forwards at most 1,000,000 frames a second passes at 1,005,000 where
// 0.5 % may be lost. The conditional throughput is what came back at the relevant lower
// bound. Its trials are sorted from the best to the worst, and as much of the duration sum
// as the exceed ratio allows is left aside at the bad end. Of the rest, the worst trial
// counts: its forwarding rate is the conditional throughput. For an exceed ratio of 0.5
// that is the median. Trials that were not needed any more count as if nothing had come
// back, so the figure rather errs on the low side. For the goal of RFC 2544, lower bound,
// conditional throughput and throughput are the same.
//
// # Trials
//
// Frames that the generator owed and did not send count as lost, beyond a small tolerance,
// so that the search turns to loads which the generator can offer; [TrialResult] marks such
// trials. Every trial counts for all goals, and is kept in the [Result].
//
// # Other plans
//
// [MeasureReceiveRate] measures the maximum receive rate, [MeasureLossCurve] the frame loss
// rate of RFC 2544, [MeasureLatency] latency at fractions of a rate, and
// [MeasureBackToBack] the longest burst without loss, as RFC 9004 has it.
package mlrsearch
