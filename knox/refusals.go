package knox

import (
	"errors"

	"github.com/gatewarden/auth"
)

// The errors for tokens that are refused. The client reads one sentence for all of them,
// and the causes are for the log. They are made once, so a flood of bad tokens allocates
// nothing here.
var (
	errBroken = invalid(errors.New("the token starts with Config.Token.Prefix or one of AcceptPrefixes, and its " +
		"length, characters or checksum are wrong: it was cut or mistyped"))
	errUnknown = invalid(errors.New("the store has no such token: it was revoked, or expired and was purged, or " +
		"belongs to another Config.Store"))
)

// Reasons for which a token that the store has is refused.
var (
	errExpired = errors.New("has expired")
	errStamp   = errors.New("was issued before the user's AuthStamp changed")
)

func invalid(cause error) error {
	return &auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeInvalidToken, Detail: "Invalid token.", Cause: cause}
}

// unrecognized returns the refusal of tokens that are not of our form.
func unrecognized(c Config) error {
	why := "the token was cut or mistyped, or is not one of this backend: it does not have the form of those that " +
		"Config.Token.Length asks for, and no Config.Token.Foreign reads it"
	if c.Token.Prefix != "" {
		why = "the token does not start with the prefix " + c.Token.Prefix +
			" (see Config.Token.Prefix and AcceptPrefixes), and no Config.Token.Foreign reads it"
	}
	return &auth.Error{Kind: auth.ErrUnrecognized, Code: auth.CodeInvalidToken, Detail: "Invalid token.",
		Cause: errors.New(why)}
}

// tokenError is why the token of a record is refused, with the public identifiers of
// the token and its user.
type tokenError struct {
	record *Record
	reason error
}

func (e *tokenError) Error() string {
	return "token " + e.record.ID + " of user " + e.record.UserID + ": " + e.reason.Error()
}

func (e *tokenError) Unwrap() error { return e.reason }

// refusal is an [auth.Error] and its cause in one struct, so that it costs one allocation.
type refusal struct {
	auth.Error
	cause tokenError
}

// invalidToken returns the error for a record's token that is refused.
func (rec *Record) invalidToken(reason error) error {
	refused := &refusal{cause: tokenError{rec, reason}}
	refused.Error = auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeInvalidToken, Detail: "Invalid token.",
		Cause: &refused.cause}
	return &refused.Error
}

// invalidUser returns the error for a token whose user Config.LoadUser refuses, with the token in
// its cause. The client gets the loader's answer. Another error, such as an outage, stays as it is.
func (rec *Record) invalidUser(err error) error {
	var stated *auth.Error
	if auth.KindOf(err) != auth.ErrInvalid || !errors.As(err, &stated) {
		return err
	}
	refused := &refusal{*stated, tokenError{rec, err}}
	refused.Kind, refused.Cause = auth.ErrInvalid, &refused.cause
	return &refused.Error
}
