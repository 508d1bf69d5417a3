package backend

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/gatewarden/auth"
)

// Finisher is a credential of a login with something left to do once the login has succeeded, such as to keep what the
// login proved. A login does not succeed before an issuer has issued for it: a hook, a limit or a store may refuse.
//
// What an issuer ended to issue stays ended if Finish fails: the oldest token or session where a limit evicts, and the
// session that the browser had. A Finisher that can often fail is a reason for a limit that refuses.
type Finisher interface {
	// Finish does it. An error fails the login, and is answered in place of what was issued.
	Finish(ctx context.Context) error
}

// Finish calls Finish of a credential that is a [Finisher], or wraps one, and otherwise returns nil. An issuer calls it
// after its store took what it issued, and before it answers. On an error it revokes what it issued and answers the
// error: see [FinishOrRevoke].
func Finish(ctx context.Context, credential auth.Credential) error {
	if finisher, ok := auth.As[Finisher](credential); ok {
		return finisher.Finish(ctx)
	}
	return nil
}

// Issued is what an issuer issued for a login that is not finished yet.
type Issued struct {
	Backend, UserID, CredentialID string
	// Revoke ends it. Its context ends after 10 seconds.
	Revoke func(ctx context.Context) error
	// Logger is told if Revoke fails. Nil is slog.Default.
	Logger *slog.Logger
}

// revokeWithin is how long Issued.Revoke may take.
const revokeWithin = 10 * time.Second

// FinishOrRevoke is [Finish] for an issuer. If Finish returns an error or panics, it calls Revoke of what was issued,
// also if ctx has ended because the client is gone. An error of Revoke is written to the log, because what was issued
// then counts against a limit until it expires, although its secret went nowhere.
func FinishOrRevoke(ctx context.Context, credential auth.Credential, issued Issued) error {
	finished := false
	defer func() {
		if !finished {
			issued.revoke(ctx)
		}
	}()
	err := Finish(ctx, credential)
	finished = err == nil
	return err
}

func (i Issued) revoke(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeWithin)
	defer cancel()
	if err := i.Revoke(ctx); err != nil {
		cmp.Or(i.Logger, slog.Default()).ErrorContext(ctx, i.Backend+": a login was refused after its credential was "+
			"issued, and the store cannot revoke that: it stays until it expires, or until the user ends it",
			"user", i.UserID, "credential", i.CredentialID, "error", err)
	}
}
