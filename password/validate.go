package password

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatewarden/auth"
)

// Validator judges a password that a user chooses, knowing something about the
// user. It returns nil if it has nothing against it. It returns an [auth.Error] of kind
// [auth.ErrMalformed], with a Code and Detail that say what is wrong with it. It returns any
// other error if it cannot tell, which is answered with 503. It must be safe for
// concurrent use, and never repeat the password in what it returns.
//
// It is given valid UTF-8 of at most [MaxPassword] bytes, as the user typed it:
// nothing is trimmed and no form of Unicode preferred.
type Validator func(ctx context.Context, password string, about []Attribute) error

// Attribute is something about a user that a password should not resemble.
type Attribute struct {
	// Name completes "The password is too similar to the …": "username",
	// "email address". It must be a constant, since users are told it.
	Name  string
	Value string
}

// All validators run. An empty list means
// [DefaultValidators]. To accept any password, pass one that always returns nil.
type Validators []Validator

// DefaultValidators returns MinLength(0), NotSimilar, NotCommon and NotNumeric, which is
// what Django has and NIST SP 800-63B-4 §3.1.1.2 asks for: a minimum length and
// a blocklist that knows the user's name, but no rule about which kinds of
// characters there must be. It builds the blocklist, so call it once.
func DefaultValidators() Validators {
	return Validators{MinLength(0), NotSimilar(), NotCommon(), NotNumeric()}
}

// WeakError is what Validate returns of a password that is not good enough. It
// is [auth.ErrMalformed], and a Guard answers it with the code and sentence of
// the first reason.
type WeakError struct {
	// Reasons are at least one, each of kind [auth.ErrMalformed], in the order of
	// the validators. A validator that returns others cannot tell.
	Reasons []*auth.Error
}

// stated reports whether e says anything against a password. An error without a
// reason must count, too.
func (e *WeakError) stated() bool {
	return e != nil && len(e.Reasons) > 0 && !slices.ContainsFunc(e.Reasons, func(reason *auth.Error) bool {
		return reason == nil || reason.Kind != auth.ErrMalformed
	})
}

// Error returns the sentences.
func (e *WeakError) Error() string {
	text := make([]string, len(e.Reasons))
	for i, reason := range e.Reasons {
		text[i] = reason.Detail
	}
	return "password: " + strings.Join(text, " ")
}

// Unwrap returns the reasons.
func (e *WeakError) Unwrap() []error {
	errs := make([]error, len(e.Reasons))
	for i, reason := range e.Reasons {
		errs[i] = reason
	}
	return errs
}

var (
	errTooLong = reason("password_too_long",
		"This password is too long. It must contain at most "+strconv.Itoa(MaxPassword)+" bytes.")
	errNoText  = reason("password_not_text", "This password is not valid UTF-8.")
	errNumeric = reason("password_entirely_numeric", "This password is entirely numeric.")

	errWeak = errors.New("password: a validator (see UpdateConfig.Validators) refuses the new password")
)

// reason returns what a validator has against a password.
func reason(code, detail string) *auth.Error {
	return &auth.Error{Kind: auth.ErrMalformed, Code: code, Detail: detail, Cause: errWeak}
}

// Validate asks every validator and returns nil or a [WeakError] with all that
// they have against the password. If one cannot tell, that is the error. A
// password that is longer than [MaxPassword] or no UTF-8 is weak without being
// shown to them.
func (v Validators) Validate(ctx context.Context, password string, about []Attribute) error {
	switch {
	case len(password) > MaxPassword:
		return &WeakError{[]*auth.Error{errTooLong}}
	case !utf8.ValidString(password):
		return &WeakError{[]*auth.Error{errNoText}}
	}
	if len(v) == 0 {
		v = DefaultValidators()
	}
	weak := &WeakError{}
	for _, validator := range v {
		if validator == nil {
			return &auth.Error{Cause: errors.New("password: nil Validator")}
		}
		reasons, err := reasonsOf(validator(ctx, password, about))
		if err != nil {
			return err
		}
		weak.Reasons = append(weak.Reasons, reasons...)
	}
	if len(weak.Reasons) == 0 {
		return nil
	}
	return weak
}

// reasonsOf returns what a validator that returned err has against the password. An error says
// that the validator cannot tell.
func reasonsOf(err error) ([]*auth.Error, error) {
	if err == nil {
		return nil, nil
	}
	var several *WeakError
	if errors.As(err, &several) {
		if !several.stated() {
			return nil, outage("validator", errors.New("a WeakError with no reason, or one that is not ErrMalformed"))
		}
		return several.Reasons, nil
	}
	var stated *auth.Error
	if auth.KindOf(err) != auth.ErrMalformed || !errors.As(err, &stated) {
		return nil, outage("validator", err)
	}
	return []*auth.Error{stated}, nil
}

// MinLength refuses passwords of fewer than n characters (code points), with
// Django's code "password_too_short".
//
// 0 is 15: what NIST SP 800-63B-4 §3.1.1.2 requires of a password that is all
// it takes to log in. It allows 8, which is Django's default too, where a second
// factor is always asked for. If n is less than 8, it is 8.
func MinLength(n int) Validator {
	if n == 0 {
		n = 15
	}
	n = max(n, 8)
	short := reason("password_too_short",
		"This password is too short. It must contain at least "+strconv.Itoa(n)+" characters.")
	return func(_ context.Context, password string, _ []Attribute) error {
		if utf8.RuneCountInString(password) < n {
			return short
		}
		return nil
	}
}

// NotNumeric refuses passwords of number characters only (Unicode category N), with Django's code
// "password_entirely_numeric".
func NotNumeric() Validator {
	return func(_ context.Context, password string, _ []Attribute) error {
		if password != "" && !strings.ContainsFunc(password, func(r rune) bool { return !unicode.IsNumber(r) }) {
			return errNumeric
		}
		return nil
	}
}

// What of an attribute is compared. Values come from users, which have no reason
// to be longer.
const (
	maxAttribute = 1024 // bytes
	maxParts     = 32
)

// similarity is Django's threshold.
const similarity = 0.7

// NotSimilar refuses passwords that resemble an attribute of the user, or a part
// of one, with Django's code "password_too_similar". They do if, without regard
// to case, they have so many characters in common, in whatever order, that these
// make 70 per cent of the two (Django's UserAttributeSimilarityValidator,
// difflib's quick_ratio). It refuses them also if they are made, as [NotCommon] says it, of a part of
// at least 4 characters and at most 32 bytes, digits, sequences and the like,
// such as "alice.alice.2024". An attribute counts with its first 1024 bytes and
// 32 parts.
func NotSimilar() Validator {
	return func(_ context.Context, password string, about []Attribute) error {
		password = strings.ToLower(password)
		var reasons []*auth.Error
		for _, attribute := range about {
			if resembles(password, attribute.Value) {
				reasons = append(reasons, reason("password_too_similar",
					"The password is too similar to the "+attribute.Name+"."))
			}
		}
		if reasons == nil {
			return nil
		}
		return &WeakError{reasons}
	}
}

// resembles compares a password in lower case with an attribute and its parts.
func resembles(password, value string) bool {
	if len(value) > maxAttribute {
		value = value[:maxAttribute]
	}
	value = strings.ToLower(strings.ToValidUTF8(value, ""))
	parts := strings.FieldsFunc(value, func(r rune) bool { // Python's \W+
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && r != '_'
	})
	parts = append(parts[:min(len(parts), maxParts)], value)
	own := make(map[string]bool)
	counts, length := histogram(password)
	for _, part := range parts {
		other, n := histogram(part)
		if n == 0 {
			continue
		}
		common := 0
		for r, count := range other {
			common += min(count, counts[r])
		}
		if 2*float64(common)/float64(length+n) >= similarity {
			return true
		}
		// As guessable looks for it: a name with "_" in it is no other name.
		if part = separators.Replace(part); utf8.RuneCountInString(part) >= 4 {
			own[part] = true
		}
	}
	return len(own) > 0 && guessable(password, own) && !guessable(password, nil)
}

// histogram counts the characters of text.
func histogram(text string) (counts map[rune]int, length int) {
	counts = make(map[rune]int)
	for _, r := range text {
		counts[r]++
		length++
	}
	return counts, length
}
