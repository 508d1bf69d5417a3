package auth

import (
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
)

// userTypes remembers which types of users were looked at. There are as many as
// the program has, which is few: a walk is faster than a map. It is safe for concurrent use.
type userTypes struct{ known atomic.Pointer[[]checkedType] }

type checkedType struct {
	reflect.Type
	err error // what is wrong with it, or nil
}

var userType = reflect.TypeFor[User]()

// check refuses a user that embeds another one and has no method Unwrap: it could
// hide that the inner one is a [Machine], or has a stamp ([Stamper]).
func (u *userTypes) check(user User) error {
	t := reflect.TypeOf(user)
	var known []checkedType
	if all := u.known.Load(); all != nil {
		known = *all
	}
	for i := range known {
		if known[i].Type == t {
			return known[i].err
		}
	}
	var err error
	if _, unwraps := user.(interface{ Unwrap() User }); !unwraps && embedsUser(t, 0) {
		err = fmt.Errorf("%w: a user of type %T embeds a User and has no method Unwrap() auth.User, so it could hide "+
			"that the inner one is a Machine or has a stamp. Return it from Unwrap", ErrInternal, user)
	}
	more := append(slices.Clip(known), checkedType{t, err})
	u.known.Store(&more) // of two at once one is kept, and the other one is made again
	return err
}

// embedsUser reports a struct that embeds an interface with UserID, or a Machine, or
// a struct that does. A field with a name does not count, such as one for an actor.
func embedsUser(t reflect.Type, depth int) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[Machine]() || depth > maxWrapped {
		return false
	}
	for i := range t.NumField() {
		field := t.Field(i)
		if !field.Anonymous {
			continue
		}
		inner := field.Type
		if inner.Kind() == reflect.Interface && inner.Implements(userType) || inner == reflect.TypeFor[Machine]() ||
			inner == reflect.TypeFor[*Machine]() || inner.Kind() != reflect.Interface && embedsUser(inner, depth+1) {
			return true
		}
	}
	return false
}
