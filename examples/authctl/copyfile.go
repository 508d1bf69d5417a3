package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatewarden/auth/store/transfer"
)

// copyFile keeps how far a copy is. The file beside it, with ".written" after its name, is the journal of what the copy
// wrote. A run holds a lock on the journal, since the other file is replaced again and again.
type copyFile struct {
	path    string
	journal *os.File
	// From and To are hashes of the two addresses without passwords, so that the file goes with one pair.
	From  string         `json:"from"`
	To    string         `json:"to"`
	State transfer.State `json:"state"`
}

var _ transfer.Journal = (*copyFile)(nil)

// errOtherRun says that another run of the copy has not ended.
var errOtherRun = errors.New("another run of this copy has not ended")

// openCopyFile reads the files of a copy. If they are not there, the copy is a new one. No other run may use them until
// they are closed.
func openCopyFile(path, from, to string) (*copyFile, error) {
	f := &copyFile{path: path, From: placeName(from), To: placeName(to)}
	journal, err := os.OpenFile(path+".written", os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("-state: %w", err)
	}
	f.journal = journal
	if err := lock(journal); err != nil {
		return nil, errors.Join(fmt.Errorf("-state: %s: %w", path, err), journal.Close())
	}
	if err := f.read(); err != nil {
		return nil, errors.Join(err, journal.Close())
	}
	return f, nil
}

// Close lets another run use the files.
func (f *copyFile) Close() error { return f.journal.Close() }

// read reads both files, under the lock.
func (f *copyFile) read() error {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) { // then nothing was written, since this file is saved first
		return f.begin()
	}
	if err != nil {
		return fmt.Errorf("-state: %w", err)
	}
	was := &copyFile{}
	if err := json.Unmarshal(text, was); err != nil {
		return fmt.Errorf("-state: %s is not the file of a copy: %w", f.path, err)
	}
	if was.From != f.From || was.To != f.To {
		return usageErrorf("-state: %s belongs to a copy between other stores; name another file", f.path)
	}
	f.State = was.State
	return f.repair()
}

// journalHead is the first line of a journal.
type journalHead struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// begin makes an empty journal.
func (f *copyFile) begin() error {
	if err := f.journal.Truncate(0); err != nil {
		return fmt.Errorf("-state: %w", err)
	}
	return f.append(journalHead{f.From, f.To})
}

// repair checks that the journal is the one of the copy, and takes the last line away if it was cut or is invalid. What
// it is about was not begun.
func (f *copyFile) repair() error {
	var size int64
	head := journalHead{}
	var last []byte
	for line, err := range f.lines() {
		if err != nil {
			return err
		}
		if size == 0 {
			if err := json.Unmarshal(line, &head); err != nil {
				break
			}
		}
		size += int64(len(line))
		last = line
	}
	if head.From != f.From || head.To != f.To {
		return fmt.Errorf("-state: %s is missing or not the journal of this copy, so what the copy wrote is not "+
			"known; empty the store -to, remove %s and begin again", f.journal.Name(), f.path)
	}
	if err := json.Unmarshal(last, &transfer.Entry{}); err != nil {
		size -= int64(len(last))
	}
	return f.journal.Truncate(size)
}

// lines returns the lines of the journal that are complete.
func (f *copyFile) lines() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		in := bufio.NewReader(io.NewSectionReader(f.journal, 0, 1<<62))
		for {
			line, err := in.ReadBytes('\n')
			if err == io.EOF {
				return
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// Entries implements [transfer.Journal].
func (f *copyFile) Entries() iter.Seq2[transfer.Entry, error] {
	return func(yield func(transfer.Entry, error) bool) {
		first := true
		for line, err := range f.lines() {
			if first && err == nil {
				first = false
				continue
			}
			var entry transfer.Entry
			if err == nil {
				err = json.Unmarshal(line, &entry)
			}
			if !yield(entry, err) || err != nil {
				return
			}
		}
	}
}

// Append implements [transfer.Journal].
func (f *copyFile) Append(entry transfer.Entry) error { return f.append(entry) }

func (f *copyFile) append(line any) error {
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(line); err != nil { // it ends the line
		return err
	}
	if _, err := f.journal.Write(text.Bytes()); err != nil {
		return err
	}
	return f.journal.Sync()
}

// placeName returns a hash of an address without its user and password, which may change between runs.
func placeName(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		u.User = nil
		query := u.Query()
		query.Del("password") // which PostgreSQL takes there, too
		u.RawQuery = query.Encode()
		address = u.String()
	}
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:16])
}

// absolute returns an address that means the same in another working directory.
func absolute(address string) (string, error) {
	path, ok := strings.CutPrefix(address, "sqlite:")
	if !ok || path == "" {
		return address, nil
	}
	path, err := filepath.Abs(path)
	return "sqlite:" + path, err
}

// begun reports whether the copy may have written to its target.
func (f *copyFile) begun() bool { return f.State.Runs > 0 || !f.State.Began.IsZero() }

// save replaces the file in one step, so that a kill leaves the old one or the new one.
func (f *copyFile) save(state transfer.State) error {
	f.State = state
	text, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".*")
	if err != nil {
		return err
	}
	_, err = next.Write(append(text, '\n'))
	err = errors.Join(err, next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next.Name()))
	}
	return syncFolder(filepath.Dir(f.path))
}
