// Authctl manages from a shell what a service has issued: tokens for scripts,
// which users are signed in where, which applications there are and what they may do, what
// has ended and what has expired. It does what drf_create_token,
// createapplication, flushexpiredtokens and cleartokens do for Django.
//
//	go run ./examples/authctl [-db sqlite:gatewarden-demo.db] [-notify CHANNEL] COMMAND
//
// It works on every database that the demo does: -db postgres://…, mysql://… and redis://… take the same addresses.
// If the service has caches that hear of revocations by NOTIFY of PostgreSQL, -notify names its channel.
//
// Copy it into your own project: service.go is about one service, here the
// demo, and is what you replace. All else stays. The service may be running.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/gatewarden/auth/examples/internal/database"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A reader of stdout that went away is an error to deal with: issue then
	// revokes what was not read.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// The exit codes.
const (
	done   = 0
	failed = 1 // also: no such user, no such identifier
	misuse = 2
)

// command is what to do, and how it is written.
type command struct {
	name      string
	arguments string
	about     string
	do        func(ctx context.Context, c *call) error
}

var commands = []command{
	{"issue", "USER [-name NAME] [-scopes \"A B\"] [-ttl 10h | -no-expiry]",
		"make a token; its secret, and nothing else, goes to stdout", issue},
	{"list", "USER [-json]", "show the user's tokens, sessions, logins by JWT and what applications were granted",
		list},
	{"revoke", "USER ID | USER -all", "end a token, session, login or grant, or all that the user has", revoke},
	{"audit", "USER [-json]", "show the tokens that ended lately, and why", audit},
	{"keys", "list | rotate | promote ID | retire ID [-key FILE]", "show or replace the keys that sign JWTs", keys},
	{"clients", "list | add | audit | show ID | change ID | secret ID | disable ID | enable ID | delete ID [flags]",
		"manage the applications of the authorization server; add and secret print the secret alone; audit lists " +
			"what is weaker than RFC 9700 recommends", clients},
	{"purge", "", "remove all that has expired, and count it", purge},
	{"copy", "-to STORE [-from STORE] [-state FILE] [-final]", "copy everything to another store; a run without " +
		"-final may be made while the service runs", copyAll},
	{"end", "-all | -since TIME", "end everything that was issued to all users, or since a time: after a leak, and " +
		"after a backup was restored", endAll},
	{"migrate", "[-schema sqlite | postgresql | mysql]", "print the SQL that brings the tables of the stores to the " +
		"newest version, for people who apply it themselves; with -schema, all tables for an empty database, without " +
		"a connection", migrate},
}

// call is one use of a command.
type call struct {
	db     string
	notify string
	flags  *flag.FlagSet
	args   []string
	stdout io.Writer
	stderr io.Writer
}

// usageError is a command line that cannot be meant.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usageErrorf(format string, a ...any) error { return usageError{fmt.Errorf(format, a...)} }

// run returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := &call{flags: newFlags("authctl"), stdout: stdout, stderr: stderr}
	c.flags.StringVar(&c.db, "db", "sqlite:gatewarden-demo.db", "the service's `store`: "+database.Forms)
	c.flags.StringVar(&c.notify, "notify", "", "the sqlstore.Config.NotifyChannel of the service, if it has a "+
		"`channel` of PostgreSQL: its caches then hear at once what ends here")
	err := c.command(ctx, args)
	switch {
	case err == nil:
		return done
	case errors.Is(err, flag.ErrHelp):
		c.usage(stdout)
		return done
	}
	fmt.Fprintln(stderr, "authctl:", database.Line(err))
	if errors.As(err, new(usageError)) {
		c.usage(stderr)
		return misuse
	}
	return failed
}

func (c *call) command(ctx context.Context, args []string) error {
	if err := c.flags.Parse(args); err != nil {
		return usageError{err}
	}
	if c.flags.NArg() == 0 {
		return usageErrorf("a command is missing")
	}
	name, rest := c.flags.Arg(0), c.flags.Args()[1:]
	for _, command := range commands {
		if command.name == name {
			c.flags, c.args = newFlags(name), rest
			return command.do(ctx, c)
		}
	}
	if strings.ContainsAny(name, "@=") { // it may hold a password
		return usageErrorf("an address is no command: is -db before it?")
	}
	return usageErrorf("there is no command %q", name)
}

// parse reads flags and arguments in any order, and wants so many arguments at
// least and at most. After "--" everything is an argument.
func (c *call) parse(least, most int) error {
	var arguments []string
	for rest := c.args; len(rest) > 0; {
		// What comes before the next identifier can be flags.
		some := rest
		if i := slices.IndexFunc(rest, isThumbprint); i >= 0 {
			some = rest[:i]
		}
		if err := c.flags.Parse(some); err != nil {
			return usageError{withFlagHint(err)}
		}
		read := len(some) - c.flags.NArg()
		switch {
		case read > 0 && rest[read-1] == "--":
			arguments, rest = append(arguments, rest[read:]...), nil
		case read < len(rest):
			arguments, rest = append(arguments, rest[read]), rest[read+1:]
		default:
			rest = nil
		}
	}
	switch c.args = arguments; {
	case len(arguments) < least:
		return usageErrorf("an argument is missing")
	case len(arguments) > most:
		if strings.Contains(arguments[most], "://") { // it may hold a password
			return usageErrorf("one argument too many, an address: is -db before it?")
		}
		return usageErrorf("one argument too many: %q", arguments[most])
	}
	return nil
}

// withFlagHint says more of an error of the flags of a command if the flag is one of authctl itself.
func withFlagHint(err error) error {
	for _, name := range []string{"-db", "-notify"} {
		if strings.HasSuffix(err.Error(), "not defined: "+name) {
			return fmt.Errorf("%w: %s goes before the command", err, name)
		}
	}
	return err
}

// isThumbprint reports the identifier of a key (RFC 7638). One in 64 begins with
// "-", as a flag does, and must be good for an argument when a key was stolen.
func isThumbprint(text string) bool {
	sum, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(sum) == sha256.Size
}

// isSet reports whether a flag is on the command line.
func (c *call) isSet(name string) (given bool) {
	c.flags.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}

func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run says what is wrong
	flags.Usage = func() {}
	return flags
}

// usage shows the command at hand, or all.
func (c *call) usage(w io.Writer) {
	fmt.Fprintln(w, "usage:")
	for _, command := range commands {
		if name := c.flags.Name(); name == command.name || name == "authctl" {
			fmt.Fprintf(w, "  authctl [-db STORE] [-notify CHANNEL] %s\n\t%s\n",
				strings.TrimSpace(command.name+" "+command.arguments), command.about)
		}
	}
	c.flags.SetOutput(w)
	c.flags.PrintDefaults()
}
