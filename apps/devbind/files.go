package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// files writes and removes files below a root directory, and can undo that.
type files struct {
	root string
	undo []func()
}

func (f *files) path(name string) string { return filepath.Join("/", f.root, name) }

// put creates or replaces a file as a whole: a reader finds the old contents or the new, also after
// a crash.
func (f *files) put(name string, contents []byte) error {
	path := f.path(name)
	before, err := os.ReadFile(path)
	if err == nil && bytes.Equal(before, contents) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	existed := err == nil
	if err := replace(path, contents); err != nil {
		return err
	}
	f.undo = append(f.undo, func() {
		if existed {
			_ = replace(path, before)
		} else {
			_ = os.Remove(path)
		}
	})
	return nil
}

// remove removes a file and reports whether it existed.
func (f *files) remove(name string) (bool, error) {
	err := os.Remove(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// rollback undoes what put did, the latest first.
func (f *files) rollback() {
	for i := len(f.undo) - 1; i >= 0; i-- {
		f.undo[i]()
	}
	f.undo = nil
}

// replace writes a temporary file beside path and renames it. The name begins with a dot, so that
// neither udev nor anything else takes it for the real one.
func replace(path string, contents []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".devbind-*")
	if err != nil {
		return err
	}
	_, err = file.Write(contents)
	err = errors.Join(err, file.Chmod(0o644), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
