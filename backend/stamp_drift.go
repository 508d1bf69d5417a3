package backend

import (
	"context"
	"log/slog"

	"github.com/gatewarden/auth/internal/loglimit"
)

// StampWarner warns of users with another [auth.Stamper] stamp at the login than where
// the issuer loads them. The zero value is ready. It is safe for concurrent use.
type StampWarner struct{ warned loglimit.Once }

// Warn writes one line for each user, at level Warn, and remembers 1,000 of them. A change
// of the password during the login looks the same, so the line says both. name is the
// package of the issuer.
func (d *StampWarner) Warn(ctx context.Context, logger *slog.Logger, name, userID string) {
	if !d.warned.First(userID) {
		return
	}
	logger.WarnContext(ctx, name+": a login is refused, because the AuthStamp of the user that it proved is not that "+
		"of the user from Config.LoadUser. If the password was changed during the login, all is well. If not, the "+
		"user can never log in: let the backend of the login (see password.Config.Account) and LoadUser make the "+
		"stamp of the same fields. This is said once for each user", "user", userID)
}
