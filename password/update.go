package password

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// UpdateConfig says what a new password must be and what becomes of it. [Change] and
// [Reset] share it. Hasher, Set, LoadUser and Revokers are required.
type UpdateConfig struct {
	Hasher *Hasher // best that of the Authenticator: it bounds the memory of both

	// Set stores the string that Hasher made of the new password. It should
	// write only where the stored string is still the one that user was loaded
	// with, and return [ErrChanged] where it is not: of two changes at once one
	// then fails, rather than being undone unseen. user is as Authenticator's Account or
	// the LoadUser of the one-time tokens returned them.
	//
	// After any other error nothing is ended, as if nothing were stored. Where
	// that is not certain, such as after a commit without an answer, Set should
	// find out before it returns.
	Set func(ctx context.Context, user auth.User, encoded string) error
	// LoadUser loads the user after that, with the new stamp. It must see what
	// Set wrote: if it is [auth.CachedUsers], Set calls Forget. A user that it
	// refuses, such as one whose address is not verified yet, has the new
	// password all the same.
	LoadUser auth.UserLoader
	// Revokers are all that issue credentials to users: knox.Tokens, sessions,
	// OneTimeTokens. They end what was issued before, since somebody with the old
	// password may have made some.
	Revokers []auth.Revoker
	// AllowNoRevokers lets Revokers be empty. What was issued before then ends
	// only where users have an [auth.Stamper] stamp, and there the credential in
	// use ends with it.
	AllowNoRevokers bool

	// Validators judge the new password. Empty is DefaultValidators.
	Validators Validators
	// Attributes returns what it must not resemble. Nil is nothing, and then a
	// user's own name is a good password. user is as the guard proved them in
	// Change, and as the LoadUser of the one-time tokens returned them in Reset.
	Attributes func(user auth.User) []Attribute

	// Observer is told of EventChanged and EventReset, and as EventFailure of
	// what is answered with 400 and 415. These are in the log of the Guard, too. What
	// else is refused, the Guard reports.
	Observer auth.Observer
}

// The kinds of events of this package.
const (
	EventChanged auth.EventKind = "password_changed" // with the old password
	EventReset   auth.EventKind = "password_reset"   // with a one-time token
)

// ErrChanged is returned by UpdateConfig.Set if the stored string is not the one that
// its user was loaded with any more.
var ErrChanged = errors.New("password: changed meanwhile")

// storeTimeout is how long storing a password and ending credentials may take
// in all. The client cannot end it sooner.
const storeTimeout = 30 * time.Second

// checkSettings checks the settings, copies what the caller could change, and fills in the defaults.
func (c *UpdateConfig) checkSettings() error {
	s := backend.Settings{Package: "password"}
	s.Need("UpdateConfig.Hasher", c.Hasher)
	s.Need("UpdateConfig.Set", c.Set)
	s.Need("UpdateConfig.LoadUser", c.LoadUser)
	s.Refuse(len(c.Revokers) == 0 && !c.AllowNoRevokers,
		"UpdateConfig.Revokers is empty. See UpdateConfig.AllowNoRevokers")
	c.Revokers, c.Validators = slices.Clone(c.Revokers), slices.Clone(c.Validators)
	for i, revoker := range c.Revokers {
		s.Need(fmt.Sprintf("UpdateConfig.Revokers[%d]", i), revoker)
	}
	for i, validator := range c.Validators {
		s.Need(fmt.Sprintf("UpdateConfig.Validators[%d]", i), validator)
	}
	if err := s.Err(); err != nil {
		return err
	}
	if len(c.Validators) == 0 {
		c.Validators = DefaultValidators()
	}
	return nil
}

// validate returns a WeakError if password is not good enough for user.
func (c *UpdateConfig) validate(ctx context.Context, user auth.User, password string, more ...Validator) error {
	var about []Attribute
	if c.Attributes != nil {
		about = c.Attributes(user)
	}
	return append(slices.Clone(c.Validators), more...).Validate(ctx, password, about)
}

// store stores the new password with Set and ends what was issued before. The client
// cannot interrupt it: a password that is changed while sessions of the old one
// live on is the one outcome that must not be. stored reports whether it got as
// far as that.
func (c *UpdateConfig) store(w http.ResponseWriter, r *http.Request, user auth.User,
	encoded string) (stored bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storeTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	if err := c.Set(ctx, user, encoded); errors.Is(err, ErrChanged) {
		return false, ErrChanged
	} else if err != nil {
		return false, outage("storing a password", err)
	}
	fresh, err := c.LoadUser.Load(ctx, user.UserID())
	if err == nil && fresh.UserID() != user.UserID() {
		err = errors.New("the loader returned another user")
	}
	var faults []error
	if err != nil {
		// The others end all the same. The one in use gets no new stamp.
		fresh = user
		// A user that may not log in, or not yet, has nothing that could go on.
		if auth.KindOf(err) != auth.ErrInvalid {
			faults = append(faults, fmt.Errorf("loading the user: %w", err))
		}
	}
	for _, revoker := range c.Revokers {
		if err := revoker.RevokeOthers(w, r, fresh); err != nil {
			faults = append(faults, fmt.Errorf("revoking: %w", err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return true, outage("after a change", err)
	}
	return true, nil
}

// updater is what the two handlers share.
type updater struct {
	UpdateConfig
	guard    *auth.Guard
	redirect string
	events   backend.Events
}

func newUpdater(guard *auth.Guard, config UpdateConfig, redirect string) (*updater, error) {
	if guard == nil {
		return nil, errors.New("password: a guard is required")
	}
	if err := config.checkSettings(); err != nil {
		return nil, err
	}
	if redirect != "" {
		if _, ok := backend.LocalPath(redirect); !ok {
			return nil, fmt.Errorf("password: Redirect %q is not a path of this site", redirect)
		}
	}
	// The answer may be a page, where the browser's own dialog would be in the way.
	return &updater{config, guard.WithoutDialog(), redirect, backend.NewEvents(config.Observer, "password")}, nil
}

// read reads fields from the body of r, all of which there must be.
func (u *updater) read(r *http.Request, missing error, names ...string) ([]string, error) {
	found := make(backend.Fields, len(names))
	for i, name := range names {
		found[i].Name = name
	}
	if err := found.From(r); err == auth.ErrNoCredentials { // 415 is not: see Fields.From
		return nil, missing
	} else if err != nil {
		return nil, err
	}
	values := make([]string, len(found))
	for i, f := range found {
		if !f.Set {
			return nil, missing
		}
		values[i] = f.Value
	}
	return values, nil
}

// refuse answers with err. What is wrong with a body is no statement about the
// credential that proved the request: 400 or 415, without a challenge.
func (u *updater) refuse(w http.ResponseWriter, r *http.Request, user auth.User, err error) {
	p := &auth.Problem{Status: http.StatusBadRequest, Code: auth.CodeInvalidRequest, Detail: "Malformed request.",
		Err: err}
	var stated *auth.Error
	if errors.As(err, &stated) {
		p.Code, p.Detail = cmp.Or(stated.Code, p.Code), cmp.Or(stated.Detail, p.Detail)
	}
	switch kind := auth.KindOf(err); {
	case kind == auth.ErrMalformed, kind == auth.ErrInvalid:
	case stated != nil && stated.Status == http.StatusUnsupportedMediaType:
		p.Status = stated.Status
	default:
		u.guard.Refuse(w, r, err)
		return
	}
	var weak *WeakError
	if errors.As(err, &weak) {
		list := make([]map[string]string, len(weak.Reasons))
		for i, reason := range weak.Reasons {
			list[i] = map[string]string{"code": reason.Code, "detail": reason.Detail}
		}
		p.Extensions = map[string]any{"errors": list}
	}
	u.report(r, user, p)
	u.guard.Answer(w, r, p)
}

// answer answers a request whose password was stored, or was not, as stored and err say.
func (u *updater) answer(w http.ResponseWriter, r *http.Request, user auth.User, kind auth.EventKind, stored bool,
	err error) {
	if stored {
		u.events.SendOf(r, by(user, auth.Event{Kind: kind}))
	}
	switch {
	case err != nil && stored:
		u.guard.RefuseWith(w, r, err, map[string]any{"password_changed": true})
	case err != nil:
		u.refuse(w, r, user, err)
	case u.redirect != "" && backend.HasForm(r) && strings.Contains(strings.ToLower(r.Header.Get("Accept")),
		"text/html"):
		backend.Redirect(w, u.redirect)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// report tells the observer and the log of a refusal, which the guard answers unseen. Strangers can
// have as many as they like, so the lines are bounded.
func (u *updater) report(r *http.Request, user auth.User, p *auth.Problem) {
	u.events.Failed(r, u.guard.Logger(), by(user, auth.Event{Err: p.Err, Status: p.Status}))
}

// by returns e with the user, if any.
func by(user auth.User, e auth.Event) auth.Event {
	if user != nil {
		e.UserID = user.UserID()
	}
	return e
}
