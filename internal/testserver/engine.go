package testserver

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// engine is what differs between the servers.
type engine struct {
	name     string
	scheme   string
	variable string

	// These are for SQL only.
	drivers        []string // names in package sql, the best first
	createDatabase string   // with %s for the name
	dropDatabase   string   // with %s for the name
	version        string   // the query
	dsn            func(*url.URL) string

	find  func() (programs, error) // errMissing says what to install
	user  string                   // the administrator
	start string                   // the database that always exists
	query string                   // what the address ends with

	port      func() (int, error) // finds a free port
	prepare   func(*daemon) error // makes the data folder
	arguments func(*daemon) []string
	ready     string         // what the log says when connections are accepted
	held      string         // what it says if children of a killed server still have its files
	stop      syscall.Signal // for an orderly end
	last      string         // the name of the signal that ends the server without its data
}

// programs are paths.
type programs struct {
	initialize, serve string
}

// findProgram returns the path of a program in PATH, or in the first of folders that has it.
func findProgram(name string, folders []string) (string, bool) {
	if path, err := exec.LookPath(name); err == nil {
		if path, err = filepath.Abs(path); err == nil {
			return path, true
		}
	}
	for _, folder := range folders {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, true
		}
	}
	return "", false
}

// newest returns the folders that match the patterns, the highest first number in a path first.
func newest(patterns ...string) []string {
	var found []string
	for _, pattern := range patterns {
		folders, _ := filepath.Glob(pattern)
		found = append(found, folders...)
	}
	slices.SortStableFunc(found, func(a, b string) int { return firstNumber(b) - firstNumber(a) })
	return found
}

// firstNumber returns the first digits in a path as a number, or 0.
func firstNumber(path string) int {
	isDigit := func(b byte) bool { return '0' <= b && b <= '9' }
	start := 0
	for start < len(path) && !isDigit(path[start]) {
		start++
	}
	end := start
	for end < len(path) && isDigit(path[end]) {
		end++
	}
	n, _ := strconv.Atoi(path[start:end])
	return n
}

// adminURL is the address of the administrator. No certificate protects it, because it does not leave the machine.
func (d *daemon) adminURL() *url.URL {
	return &url.URL{Scheme: d.engine.scheme, User: url.UserPassword(d.engine.user, d.password),
		Host: "127.0.0.1:" + strconv.Itoa(d.port), Path: "/" + d.engine.start, RawQuery: d.engine.query}
}
