package password

import (
	"context"
	"errors"
	"strings"

	"github.com/gatewarden/auth"
)

// Reasons for which a login fails. The client gets one answer whatever the reason, after
// the same work. The reason is the cause of the error, for the log and the Observer. The name that
// was typed is not printed: people type their password there by mistake.
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

// failure returns the answer to a login with a wrong password. account is what
// Config.Account returned as an error.
func (a *Authenticator) failure(ctx context.Context, account error, user auth.User, encoded string) error {
	switch {
	case errors.Is(account, auth.ErrUserInactive):
		return errInactive
	case account != nil:
		return errNoAccount
	}
	reason := errWrong
	if isUnusable(encoded) {
		reason = errUnusable
	} else if _, err := a.config.Hasher.read(encoded); err != nil {
		reason = err
		a.warnOfStored(ctx, user.UserID(), encoded, err)
	}
	return failed(&userError{user.UserID(), reason})
}

// isUnusable reports a string by which Django and this package say that a user has no
// password.
func isUnusable(encoded string) bool { return encoded == "" || encoded[0] == '!' }

// warnOfStored says, once for each user, why a stored string matches no password.
func (a *Authenticator) warnOfStored(ctx context.Context, userID, encoded string, reason error) {
	if !a.unreadable.First(userID) {
		return
	}
	scheme := schemeOf(encoded)
	if scheme == "" {
		scheme = "(none)"
	}
	if !errors.Is(reason, errFormat) {
		a.warn(ctx, "password: a stored password is not verified, so nothing matches it",
			"user", userID, "scheme", scheme, "error", reason)
		return
	}
	a.warn(ctx, "password: a stored password has no format that the Hasher reads, so nothing matches it. "+
		"Known are $argon2id$, $argon2i$, argon2$, pbkdf2_sha256$, scrypt$, bcrypt_sha256$, bcrypt$, $2a$, $2b$ and "+
		"$2y$, and what HasherConfig.AllowLegacy names. One of these is not read if its parameters are broken",
		"user", userID, "scheme", scheme)
}

// knownSchemes are how stored strings of programs start. Others are not printed: the start of
// a home-made string may be a salt, or a password in the clear.
var knownSchemes = []string{"$argon2id$", "$argon2i$", "$argon2d$", "argon2$", "pbkdf2_sha256$", "pbkdf2_sha1$",
	"$pbkdf2-sha256$", "$pbkdf2-sha512$", "$pbkdf2$", "scrypt$", "$scrypt$", "$7$", "$y$", "$gy$", "bcrypt_sha256$",
	"bcrypt$",
	"$2$", "$2a$", "$2b$", "$2x$", "$2y$", "$1$", "$5$", "$6$", "$md5$", "$sha1$", "$apr1$", "$P$", "$H$", "$S$",
	"md5$", "sha1$",
	"sha256$", "crypt$", "unsalted_md5$", "unsalted_sha1$", "{SSHA}", "{SSHA256}", "{SSHA512}", "{SHA}", "{SHA256}",
	"{SHA512}",
	"{CRYPT}", "{BCRYPT}", "{MD5}", "{PBKDF2}", "{ARGON2}", "{PLAIN}", "{CLEARTEXT}"}

// schemeOf returns how a stored string starts, if that is one of knownSchemes, or "".
func schemeOf(encoded string) string {
	for _, scheme := range knownSchemes {
		if len(encoded) >= len(scheme) && strings.EqualFold(encoded[:len(scheme)], scheme) {
			return scheme
		}
	}
	return ""
}
