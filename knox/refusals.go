package knox

import (
	"errors"

	"github.com/gatewarden/auth"
)

// This file has why a token is refused. The client reads one sentence for all of it,
// and the causes are for the log. They are made once: a flood of bad tokens allocates
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

// recordError is why the token of a record is refused, with the public identifiers of
// the token and its user.
type recordError struct {
	record *Record
	reason error
}

func (e *recordError) Error() string {
	return "token " + e.record.ID + " of user " + e.record.UserID + ": " + e.reason.Error()
}

func (e *recordError) Unwrap() error { return e.reason }

// refusal is an [auth.Error] and its cause in one.
type refusal struct {
	auth.Error
	cause recordError
}

// refuse returns the refusal of a record's token, with one allocation.
func (rec *Record) refuse(reason error) error {
	refused := &refusal{cause: recordError{rec, reason}}
	refused.Error = auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeInvalidToken, Detail: "Invalid token.",
		Cause: &refused.cause}
	return &refused.Error
}

// refuseUser adds the token to what Config.LoadUser says of its user. The client gets
// the loader's answer, and an outage stays one.
func (rec *Record) refuseUser(err error) error {
	var stated *auth.Error
	if auth.KindOf(err) != auth.ErrInvalid || !errors.As(err, &stated) {
		return err
	}
	refused := &refusal{*stated, recordError{rec, err}}
	refused.Kind, refused.Cause = auth.ErrInvalid, &refused.cause
	return &refused.Error
}
