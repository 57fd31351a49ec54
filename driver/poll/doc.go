// Package poll is the loop of a program that receives packets, does something
// with them and sends them: it polls queues, frees what cannot be sent, pauses
// when there is nothing to do, and ends with a context, a signal or a port.
//
//	loop := poll.Loop{
//		Ports:   []*driver.Port{port},
//		Streams: []poll.Stream{{Rx: port.RxQueue(0), Tx: port.TxQueue(0), Handle: answer}},
//	}
//	err := loop.Run(ctx)
//
// A [Stream] leads from a receive queue through a function of the application to
// a transmit queue. A [Loop] serves any number of them in one goroutine. Since a
// queue belongs to one goroutine, a program with several goroutines has a Loop in
// each, for instance one for each queue pair.
//
// [Loop.Run] is for programs that share their CPUs. [Loop.Poll] is one round of
// it, and the function that package lcore polls on a CPU of its own:
//
//	core, err := lcore.Start(cpu, loop.Poll, loop.Abandon)
//
// With [Loop.SleepAfter] Run sleeps until a device interrupts when nothing comes, and with
// [Loop.Wait] an adaptive core of package lcore does.
package poll
