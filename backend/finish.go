package backend

import (
	"context"

	"github.com/gatewarden/auth"
)

// Finisher is a credential of a login with something left to do once the login has succeeded, such as to keep what the
// login proved. A login does not succeed before an issuer has issued for it: a hook, a limit or a store may refuse.
type Finisher interface {
	// Finish does it. An error fails the login, and is answered in place of what was issued.
	Finish(ctx context.Context) error
}

// Finish calls Finish of a credential that is a [Finisher], or wraps one, and otherwise returns nil. An issuer calls it
// after its store took what it issued, and before it answers. On an error it revokes what it issued and answers the
// error.
func Finish(ctx context.Context, credential auth.Credential) error {
	if finisher, ok := auth.As[Finisher](credential); ok {
		return finisher.Finish(ctx)
	}
	return nil
}
