package qemu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/test/child"
	"github.com/virtio-pmd/virtio-pmd/test/vm/agent"
)

// portName is the agent's channel.
const portName = agent.Port

// Machine is a guest that runs.
type Machine struct {
	// Agent runs commands in the guest.
	Agent *agent.Client
	// QMP is QEMU's monitor.
	QMP *QMP
	// Arguments is QEMU's command line.
	Arguments []string

	console string
	process *os.Process
	exited  chan struct{}
	err     error // how QEMU ended; read after exited is closed
	output  *strings.Builder
}

// Program is the emulator.
const Program = "qemu-system-x86_64"

// Start starts a machine and returns when QEMU has connected its channels. The
// guest may still be booting: the first command waits for it. When ctx ends
// QEMU is killed.
func Start(ctx context.Context, c Config) (*Machine, error) {
	program, err := exec.LookPath(Program)
	if err != nil {
		return nil, fmt.Errorf("qemu: %w (Debian and Ubuntu: apt-get install qemu-system-x86)", err)
	}
	m := &Machine{console: filepath.Join(c.Dir, "console.log"), exited: make(chan struct{}),
		output: &strings.Builder{}}
	qmp, err := listen(filepath.Join(c.Dir, "qmp"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = qmp.Close() }()
	channel, err := listen(filepath.Join(c.Dir, "agent"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = channel.Close() }()
	var files []*os.File
	m.Arguments, files = c.arguments(qmp.Addr().String(), channel.Addr().String(), m.console)
	cmd := exec.CommandContext(ctx, program, m.Arguments...)
	cmd.ExtraFiles = files
	cmd.Stdout, cmd.Stderr = m.output, m.output
	if err := m.run(cmd); err != nil {
		return nil, err
	}
	if err := m.connect(qmp, channel); err != nil {
		m.Stop()
		return nil, errors.Join(err, errors.New(m.Report()))
	}
	return m, nil
}

// run starts QEMU.
func (m *Machine) run(cmd *exec.Cmd) error {
	wait, err := child.Start(cmd, nil)
	if err != nil {
		return fmt.Errorf("qemu: %w", err)
	}
	go func() {
		m.err = wait()
		close(m.exited)
	}()
	m.process = cmd.Process
	return nil
}

// listen opens a unix socket that QEMU will connect to.
func listen(path string) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("qemu: %w", err)
	}
	return l, nil
}

// startTimeout is how long QEMU may take to connect its channels.
const startTimeout = 60 * time.Second

// connect accepts QEMU's connections, or finds that QEMU has ended.
func (m *Machine) connect(qmp, channel *net.UnixListener) error {
	conns := make([]net.Conn, 2)
	for i, l := range []*net.UnixListener{channel, qmp} {
		conn, err := m.accept(l)
		if err != nil {
			return err
		}
		conns[i] = conn
	}
	m.Agent = agent.NewClient(conns[0])
	var err error
	m.QMP, err = newQMP(conns[1])
	return err
}

// accept waits for one connection as long as QEMU lives.
func (m *Machine) accept(l *net.UnixListener) (net.Conn, error) {
	if err := l.SetDeadline(time.Now().Add(startTimeout)); err != nil {
		return nil, err
	}
	waited := make(chan struct{})
	defer close(waited)
	go func() {
		select {
		case <-m.exited:
			_ = l.SetDeadline(time.Now())
		case <-waited:
		}
	}()
	conn, err := l.Accept()
	if err != nil {
		return nil, fmt.Errorf("qemu: did not connect: %w", err)
	}
	return conn, nil
}

// Exited is closed when QEMU has ended.
func (m *Machine) Exited() <-chan struct{} { return m.exited }

// Stop kills QEMU and waits for its end. It may be called more than once.
func (m *Machine) Stop() {
	_ = m.process.Kill()
	<-m.exited
	if m.Agent != nil {
		_ = m.Agent.Close()
	}
	if m.QMP != nil {
		_ = m.QMP.Close()
	}
}

// Output is what QEMU itself has printed. QEMU must have ended.
func (m *Machine) Output() string {
	<-m.exited
	return m.output.String()
}

// reportLines is how much of the console a report shows.
const reportLines = 60

// Report is what one wants to see after a failure: the command line, what QEMU
// printed and the end of the guest's console. QEMU must not be running for its
// own output to be complete.
func (m *Machine) Report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", Program, quote(m.Arguments))
	select {
	case <-m.exited:
		fmt.Fprintf(&b, "--- QEMU (%v)\n%s\n", m.err, m.output)
	default:
	}
	log, err := os.ReadFile(m.console)
	if err != nil {
		fmt.Fprintf(&b, "--- no console: %v\n", err)
		return b.String()
	}
	lines := strings.Split(strings.TrimRight(string(log), "\n"), "\n")
	if len(lines) > reportLines {
		lines = lines[len(lines)-reportLines:]
	}
	fmt.Fprintf(&b, "--- console\n%s\n", strings.Join(lines, "\n"))
	return b.String()
}

// quote makes a command line that a shell takes.
func quote(args []string) string {
	quoted := make([]string, 0, len(args))
	for _, a := range args {
		if strings.ContainsAny(a, " $'\"\\;&|<>*?()") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		quoted = append(quoted, a)
	}
	return strings.Join(quoted, " ")
}
