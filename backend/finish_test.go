package backend_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
)

// finishing is a credential of a login with something left to do.
type finishing struct {
	finish func(context.Context) error
}

func (finishing) Backend() string                    { return "external" }
func (f finishing) Finish(ctx context.Context) error { return f.finish(ctx) }

// errFinish is what Finish of the tests returns.
var errFinish = errors.New("the link is taken")

func TestUnitFinishOrRevoke(t *testing.T) {
	type outcome struct {
		revoked int
		within  time.Duration // the deadline of Revoke
		log     string
	}
	run := func(ctx context.Context, finish, revoke func(context.Context) error) (o outcome, err error) {
		var log bytes.Buffer
		issued := backend.Issued{Backend: "knox", UserID: "alice", CredentialID: "7",
			Logger: slog.New(slog.NewTextHandler(&log, nil)), Revoke: func(ctx context.Context) error {
				o.revoked++
				if deadline, ok := ctx.Deadline(); ok {
					o.within = time.Until(deadline)
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return revoke(ctx)
			}}
		err = backend.FinishOrRevoke(ctx, finishing{finish}, issued)
		o.log = log.String()
		return o, err
	}
	works := func(context.Context) error { return nil }
	fails := func(context.Context) error { return errFinish }
	t.Run("what was issued stays if the login is finished", func(t *testing.T) {
		if o, err := run(t.Context(), works, works); err != nil || o.revoked != 0 || o.log != "" {
			t.Errorf("got %+v, %v", o, err)
		}
	})
	t.Run("a credential with nothing left to do is finished", func(t *testing.T) {
		if err := backend.FinishOrRevoke(t.Context(), nil, backend.Issued{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("what was issued is revoked once if Finish fails, and the error is that of Finish", func(t *testing.T) {
		if o, err := run(t.Context(), fails, works); err != errFinish || o.revoked != 1 || o.log != "" {
			t.Errorf("got %+v, %v, want it revoked and %v", o, err, errFinish)
		}
	})
	t.Run("it is revoked though the client is gone, in a time that is bounded", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		o, err := run(ctx, func(ctx context.Context) error { cancel(); return ctx.Err() }, works)
		if !errors.Is(err, context.Canceled) || o.revoked != 1 || o.log != "" {
			t.Errorf("got %+v, %v, want it revoked", o, err)
		}
		if o.within <= 0 || o.within > 10*time.Second {
			t.Errorf("Revoke may take %v, want at most 10 seconds", o.within)
		}
	})
	t.Run("a store that cannot revoke it is in the log, with the user and the credential", func(t *testing.T) {
		o, err := run(t.Context(), fails, func(context.Context) error { return errors.New("store is down") })
		if err != errFinish {
			t.Errorf("got %v, want %v", err, errFinish)
		}
		for _, want := range []string{"level=ERROR", "knox: a login was refused", "user=alice", "credential=7",
			`error="store is down"`} {
			if !strings.Contains(o.log, want) {
				t.Errorf("got the log %q, want %q in it", o.log, want)
			}
		}
	})
	t.Run("it is revoked if Finish panics", func(t *testing.T) {
		revoked := false
		defer func() {
			if r := recover(); r != "bug" || !revoked {
				t.Errorf("got the panic %v, revoked %v, want it revoked and the panic passed on", r, revoked)
			}
		}()
		_ = backend.FinishOrRevoke(t.Context(), finishing{func(context.Context) error { panic("bug") }},
			backend.Issued{Revoke: func(context.Context) error { revoked = true; return nil }})
	})
}
