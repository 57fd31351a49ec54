// Package bench joins the parts of pktgen over open ports: the streams of package traffic
// leave by transmit queues at the rates of package pace, package generator sends them, and
// package meter counts and times what comes back.
//
//	b, err := bench.New(bench.Config{Ports: ports, Caches: caches, Streams: streams})
//	...
//	// each of b.Pollers() is polled by a goroutine from here on
//	trial, err := b.Trial(ctx, generator.Run{Duration: time.Second})
//	fmt.Println(trial.LossRatio)
//
// A stream that is sent at an even rate leaves by all transmit queues of its port, each of
// which has its share of the rate. Every other stream, and one whose latency is measured,
// leaves by one queue.
//
// A trial adds up: what was sent and what was due and not sent are together what was
// intended, and what was not received of that is lost. What a port received is the sum of
// the packets of the streams that end there and of those that belong to none.
package bench
