package main

import (
	"context"
	"errors"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/password"
)

// user is the application's own type; two methods make it one of auth's.
type user struct {
	name    string
	encoded string
	active  bool
	admin   bool
}

func (u *user) UserID() string { return u.name }

// AuthStamp ends all that was issued to the user when the password changes.
func (u *user) AuthStamp() string { return u.encoded }

// account is a user of a fresh store. That everybody knows the passwords is what a demo is for.
type account struct {
	Name     string
	Password string
	Inactive bool
	Admin    bool
}

var accounts = []account{
	{Name: "alice", Password: "correct-horse-battery"},
	{Name: "bob", Password: "staple-tractor-lamp"},
	{Name: "carol", Password: "closed-account-99", Inactive: true},
	{Name: "admin", Password: "only-for-the-demo", Admin: true},
}

// firstUsers returns the users of a fresh store.
func firstUsers(ctx context.Context, hasher *password.Hasher) (first []*user, err error) {
	for _, a := range accounts {
		encoded, err := hasher.Hash(ctx, a.Password)
		if err != nil {
			return nil, err
		}
		first = append(first, &user{name: a.Name, encoded: encoded, active: !a.Inactive, admin: a.Admin})
	}
	return first, nil
}

// users are the people that the service knows. They are in a table of SQL, or in Redis.
type users struct {
	userTable
	loader auth.UserLoader // with a cache, where changes by other demos are told to it
}

// userTable is the application's own table of users.
type userTable interface {
	// find returns a user, also one that is inactive, or auth.ErrUserNotFound.
	find(ctx context.Context, name string) (*user, error)
	// setActive reports whether there is such a user.
	setActive(ctx context.Context, name string, active bool) (bool, error)
	// setPassword stores a password in place of the one that u was loaded with. If that is not the password any more,
	// the error is password.ErrChanged.
	setPassword(ctx context.Context, u auth.User, encoded string) error
	// signUp returns the user that was made with this id, or makes one without a password. The name is the wanted one
	// or, if that is taken, the next one that is free has a number.
	signUp(ctx context.Context, id, wanted string) (auth.User, error)
}

// newUsers returns the users of a table, without a cache.
func newUsers(table userTable) *users {
	us := &users{userTable: table}
	us.loader = us.current
	return us
}

// load is the auth.UserLoader of all backends.
func (us *users) load(ctx context.Context, id string) (auth.User, error) { return us.loader(ctx, id) }

// current is the auth.UserLoader without a cache.
func (us *users) current(ctx context.Context, id string) (auth.User, error) {
	u, err := us.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if !u.active {
		return nil, auth.ErrUserInactive
	}
	return u, nil
}

// byName is the password.AccountFinder of the login.
func (us *users) byName(ctx context.Context, name string) (auth.User, string, error) {
	u, err := us.find(ctx, name)
	if err != nil {
		return nil, "", err
	}
	if !u.active {
		return u, u.encoded, auth.ErrUserInactive
	}
	return u, u.encoded, nil
}

// claims reports an address that is not proved, and that a user has here: the owner must sign in
// to prove it.
func (us *users) claims(ctx context.Context, email external.Email) (bool, error) {
	name, ok := strings.CutSuffix(strings.ToLower(email.Address), "@example.com")
	if !ok || email.Verified {
		return false, nil
	}
	_, err := us.find(ctx, name)
	if errors.Is(err, auth.ErrUserNotFound) {
		return false, nil
	}
	return err == nil, err
}
