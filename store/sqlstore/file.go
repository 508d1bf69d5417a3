package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// file is the file of a database, as it was when it was opened.
type file struct {
	path string // absolute
	info os.FileInfo
}

// openFile makes the file if there is none, readable by its owner only. A file that exists is
// not opened: closing it would end the locks of every connection of this process to it
// (POSIX), and another program could take the write-ahead log away under them.
func openFile(path string) (*file, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeFile(path); err != nil {
			return nil, err
		}
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, err
	}
	os.SameFile(info, info) // Windows looks the identity up at the first comparison
	return &file{path, info}, nil
}

// maxLinks is how many links lead to a file, as in Linux.
const maxLinks = 40

// makeFile makes an empty file, where the links lead if path is one, unless somebody else was
// faster. It never opens a file that is there: see openFile.
func makeFile(path string) error {
	for range maxLinks {
		made, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			return made.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		target, err := os.Readlink(path)
		if err != nil {
			return nil // no link: the file of somebody else
		}
		if !filepath.IsAbs(target) {
			folder, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return err
			}
			target = filepath.Join(folder, target)
		}
		path = target
	}
	return fmt.Errorf("%q is behind more than %d links", path, maxLinks)
}

// check returns an error if the path does not lead to the file that was opened. The
// connections would go on with that file, which no program finds again: a logout that
// they acknowledge is undone by a restart. A nil file is not checked.
func (f *file) check() error {
	if f == nil {
		return nil
	}
	info, err := os.Stat(f.path)
	if err == nil && os.SameFile(info, f.info) {
		return nil
	}
	return &movedError{f.path, err}
}

// movedError says that a file was removed or replaced.
type movedError struct {
	path  string
	cause error // of os.Stat, or nil if there is another file
}

func (e *movedError) Error() string {
	text := "is not the file that was opened any more"
	if e.cause != nil {
		text = "cannot be found any more"
	}
	text = fmt.Sprintf("sqlstore: the database %q %s, and writes to it are refused because they would be lost. "+
		"Put the file back and restart the program", e.path, text)
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

func (e *movedError) Unwrap() error { return e.cause }
