// Package agent is how a test talks to the guest it has booted: requests and
// replies, one JSON object a line, over a virtio-serial port. Many commands
// run at once, so one boot serves many tests. The guest's half is [Serve], the
// test's half is [Client].
package agent

// Port is the name of the virtio-serial port, as QEMU is told it.
const Port = "virtio-pmd.lab"

// Op is what a request asks for.
type Op string

const (
	// OpRun starts a command. Its output and its end arrive as replies.
	OpRun Op = "run"
	// OpSignal sends a signal to a command that is running.
	OpSignal Op = "signal"
	// OpInput writes to the standard input of a command that has one.
	OpInput Op = "input"
)

// Request goes from the test to the guest.
type Request struct {
	// ID names the command: chosen by the test with [OpRun], and repeated in
	// every reply and other request.
	ID int `json:"id"`
	Op Op  `json:"op"`
	// Args is the command line, Args[0] a path in the guest.
	Args []string `json:"args,omitempty"`
	// Stdin gives the command of [OpRun] a standard input, which is /dev/null otherwise.
	Stdin bool `json:"stdin,omitempty"`
	// Signal is the number of the signal for [OpSignal].
	Signal int `json:"signal,omitempty"`
	// Input is what [OpInput] writes.
	Input []byte `json:"input,omitempty"`
}

// Reply goes from the guest to the test.
type Reply struct {
	ID int `json:"id"`
	// Stdout and Stderr are pieces of output.
	Stdout []byte `json:"stdout,omitempty"`
	Stderr []byte `json:"stderr,omitempty"`
	// Done is set in the last reply of a command.
	Done *Done `json:"done,omitempty"`
}

// Done says how a command ended.
type Done struct {
	// Exit is the exit status, -1 when a signal ended the command.
	Exit int `json:"exit"`
	// Signal is the signal that ended the command, 0 if none did.
	Signal int `json:"signal,omitempty"`
	// Error says why the command could not be started.
	Error string `json:"error,omitempty"`
	// At is the guest's monotonic clock at the end, in nanoseconds.
	At int64 `json:"at"`
}
