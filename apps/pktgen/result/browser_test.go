package result

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// browserTime bounds all that a test does with a browser.
const browserTime = 90 * time.Second

// browser is a headless Chromium with one page, spoken to in the DevTools protocol over two
// pipes: JSON messages that end with a zero byte.
type browser struct {
	ctx     context.Context
	out     io.Writer
	session string

	mu      sync.Mutex
	last    int
	waiting map[int]chan reply
	events  []event
	changed chan struct{} // closed and replaced when an event arrives
	gone    chan struct{} // closed when the browser is
}

// reply is the answer to a call.
type reply struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// event is something that happened in the page.
type event struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// startBrowser starts Chromium with an empty page and ends it with the test.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v; scripts/deps.sh installs it", err)
		}
		t.Skip("what the page looks like takes chromium, which scripts/deps.sh installs; CI has it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(cancel)
	toBrowser, out := pipe(t)
	in, fromBrowser := pipe(t)
	arguments := []string{"--headless", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-sync",
		"--user-data-dir=" + profile(t), "--remote-debugging-pipe", "about:blank"}
	if os.Geteuid() == 0 {
		arguments = append([]string{"--no-sandbox"}, arguments...)
	}
	cmd := exec.CommandContext(ctx, program, arguments...)
	cmd.ExtraFiles = []*os.File{toBrowser, fromBrowser}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = toBrowser.Close(), fromBrowser.Close()
	b := &browser{ctx: ctx, out: out, waiting: map[int]chan reply{}, changed: make(chan struct{}), gone: make(chan struct{})}
	go b.read(in)
	t.Cleanup(func() { _ = cmd.Wait() }) // the test's context, which ends before, kills it
	b.openPage(t)
	return b
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

// profile returns a directory for the browser's files, which is removed after its end.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// openPage attaches to a new page and asks for its events.
func (b *browser) openPage(t *testing.T) {
	t.Helper()
	var target struct{ TargetID, SessionID string }
	b.must(t, "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.must(t, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.session = target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.must(t, domain+".enable", nil, nil)
	}
}

// read delivers what the browser says until it is gone.
func (b *browser) read(in io.Reader) {
	defer close(b.gone)
	r := bufio.NewReader(in)
	for {
		text, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var message struct {
			reply
			event
		}
		if json.Unmarshal(text[:len(text)-1], &message) != nil {
			return
		}
		b.mu.Lock()
		if waiting := b.waiting[message.ID]; waiting != nil {
			waiting <- message.reply
			delete(b.waiting, message.ID)
		} else {
			b.events = append(b.events, message.event)
			close(b.changed)
			b.changed = make(chan struct{})
		}
		b.mu.Unlock()
	}
}

// call does one thing in the browser and decodes what it returns.
func (b *browser) call(method string, params, result any) error {
	answer := make(chan reply, 1)
	b.mu.Lock()
	b.last++
	request := map[string]any{"id": b.last, "method": method}
	b.waiting[b.last] = answer
	b.mu.Unlock()
	if params != nil {
		request["params"] = params
	}
	if b.session != "" {
		request["sessionId"] = b.session
	}
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if _, err := b.out.Write(append(text, 0)); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case r := <-answer:
		if r.Error != nil {
			return fmt.Errorf("%s: %s", method, r.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(r.Result, result)
	case <-b.gone:
		return fmt.Errorf("%s: %w", method, errors.New("the browser is gone"))
	case <-b.ctx.Done():
		return fmt.Errorf("%s: %w", method, b.ctx.Err())
	}
}

func (b *browser) must(t *testing.T, method string, params, result any) {
	t.Helper()
	if err := b.call(method, params, result); err != nil {
		t.Fatal(err)
	}
}

// await waits for an event.
func (b *browser) await(t *testing.T, method string) {
	t.Helper()
	for {
		b.mu.Lock()
		changed := b.changed
		for _, e := range b.events {
			if e.Method == method {
				b.mu.Unlock()
				return
			}
		}
		b.mu.Unlock()
		select {
		case <-changed:
		case <-b.gone:
			t.Fatalf("the browser is gone before %s", method)
		case <-b.ctx.Done():
			t.Fatalf("%s did not happen", method)
		}
	}
}

// happened returns the parameters of all events of a kind.
func (b *browser) happened(method string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []string
	for _, e := range b.events {
		if e.Method == method {
			list = append(list, string(e.Params))
		}
	}
	return list
}

// evaluate returns the value of a JavaScript expression in the page.
func (b *browser) evaluate(t *testing.T, expression string, value any) {
	t.Helper()
	var result struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		ExceptionDetails json.RawMessage `json:"exceptionDetails"`
	}
	b.must(t, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &result)
	if result.ExceptionDetails != nil {
		t.Fatalf("%s: %s", expression, result.ExceptionDetails)
	}
	if err := json.Unmarshal(result.Result.Value, value); err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
}
