package lcore

import "fmt"

// Error is a core that could not be started on its CPU, because the CPU does not exist, is offline
// or is excluded by the process's cpuset, or a core that a memory fault ended.
type Error struct {
	Op     string // "start" or "poll"
	CPU    int    // or AnyCPU
	Value  any    // the CPUs that the process may use, []int; or the address of the fault, uint64
	Reason string
	Remedy string
	Err    error // cause
}

// Error names the operation, the CPU, the reason and the remedy.
func (e *Error) Error() string {
	return fmt.Sprintf("%s on %s: %s (%v); %s", e.Op, cpuName(e.CPU), e.Reason, e.Err, e.Remedy)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// PanicError says that the polling function panicked.
type PanicError struct {
	CPU   int    // or AnyCPU
	Value any    // of the panic
	Stack []byte // of the goroutine, as [runtime/debug.Stack] formats it
}

// Error names the CPU, the value and the stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("poll on %s: panic: %v\n%s", cpuName(e.CPU), e.Value, e.Stack)
}

func startError(cpu int, usable []int, err error) *Error {
	return &Error{Op: "start", CPU: cpu, Value: usable, Reason: "the CPU cannot be used",
		Remedy: fmt.Sprintf("this process may run on CPUs %v: choose one of them", usable), Err: err}
}

// faultError is an access to memory that is no longer mapped, such as the registers of a device
// that was removed. The ports that the core polled can only be closed.
func faultError(cpu int, address uint64, err error) *Error {
	return &Error{Op: "poll", CPU: cpu, Value: address,
		Reason: fmt.Sprintf("memory fault at %#x, as when a device is removed", address),
		Remedy: "close its port", Err: err}
}

func cpuName(cpu int) string {
	if cpu == AnyCPU {
		return "any CPU"
	}
	return fmt.Sprintf("CPU %d", cpu)
}
