package password

import (
	"context"
	"errors"
	"strings"

	"github.com/gatewarden/auth"
)

// This file has why a login fails. The client gets one answer whatever the reason, after
// the same work; the reason is the cause of the error, for the log and the Observer.

// Reasons for which a login fails. The name that was typed is not printed: people type
// their password there by mistake.
var (
	errNoAccount = failed(errors.New("password: Config.Account knows no user of that name"))
	errInactive  = failed(errors.New("password: Config.Account says that the user of that name may not log in"))

	errWrong    = errors.New("the password is wrong")
	errUnusable = errors.New("the user has no usable password: the stored string is empty or starts with \"!\"")
	errFormat   = errors.New("the stored string has no format that the Hasher reads (see HasherConfig.AllowLegacy)")
)

// failed is the one answer to unknown, wrong and inactive.
func failed(cause error) error {
	return &auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeAuthenticationFailed,
		Detail: "Invalid username/password.", Cause: cause}
}

// userError is why the login of a user fails, or a link of theirs is refused.
type userError struct {
	userID string
	reason error
}

func (e *userError) Error() string { return "password: user " + e.userID + ": " + e.reason.Error() }

func (e *userError) Unwrap() error { return e.reason }

// failure returns the answer to a login whose password did not match. account is what
// Config.Account returned as an error.
func (l *Authenticator) failure(ctx context.Context, account error, user auth.User, encoded string) error {
	switch {
	case errors.Is(account, auth.ErrUserInactive):
		return errInactive
	case account != nil:
		return errNoAccount
	}
	reason := errWrong
	if isUnusable(encoded) {
		reason = errUnusable
	} else if _, err := l.config.Hasher.read(encoded); err != nil {
		reason = err
		l.warnOfStored(ctx, user.UserID(), encoded, err)
	}
	return failed(&userError{user.UserID(), reason})
}

// isUnusable reports a string by which Django and this package say that a user has no
// password.
func isUnusable(encoded string) bool { return encoded == "" || encoded[0] == '!' }

// warnOfStored says, once for each user, why a stored string matches no password.
func (l *Authenticator) warnOfStored(ctx context.Context, userID, encoded string, reason error) {
	if !l.unreadable.First(userID) {
		return
	}
	scheme := schemeOf(encoded)
	if scheme == "" {
		scheme = "(none)"
	}
	if !errors.Is(reason, errFormat) {
		l.warn(ctx, "password: a stored password is not verified, so nothing matches it",
			"user", userID, "scheme", scheme, "error", reason)
		return
	}
	l.warn(ctx, "password: a stored password has no format that the Hasher reads, so nothing matches it. "+
		"Known are $argon2id$, $argon2i$, argon2$, pbkdf2_sha256$, scrypt$, bcrypt_sha256$, bcrypt$, $2a$, $2b$ and "+
		"$2y$, and what HasherConfig.AllowLegacy names. One of these is not read if its parameters are broken",
		"user", userID, "scheme", scheme)
}

// schemeOf returns how a stored string starts, at most 16 characters of a name and its
// signs, or "" if it does not look like one: it may be a password in the clear.
func schemeOf(encoded string) string {
	sign, rest := "", encoded
	for _, start := range []string{"$", "{"} { // crypt(3) and PHC; RFC 2307
		if text, ok := strings.CutPrefix(encoded, start); ok {
			sign, rest = start, text
		}
	}
	end := strings.IndexAny(rest, "$}")
	if end < 1 || end > 14 || len(rest)-end < 16 ||
		strings.Trim(rest[:end], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		return ""
	}
	return sign + rest[:end+1]
}
