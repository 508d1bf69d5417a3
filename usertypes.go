package auth

import (
	"fmt"
	"reflect"
	"sync"
)

// userTypes remembers which types of users were looked at. There are as many as
// the program has.
type userTypes struct{ known sync.Map } // of reflect.Type: error, or nil

var userType = reflect.TypeFor[User]()

// check refuses a user that embeds another one and has no method Unwrap: it could
// hide that the inner one is a [Machine], or has a stamp ([Stamper]).
func (u *userTypes) check(user User) error {
	t := reflect.TypeOf(user)
	if found, ok := u.known.Load(t); ok {
		err, _ := found.(error)
		return err
	}
	var err error
	if _, unwraps := user.(interface{ Unwrap() User }); !unwraps && embedsUser(t, 0) {
		err = fmt.Errorf("%w: a user of type %T embeds a User and has no method Unwrap() auth.User, so it could hide that the "+
			"inner one is a Machine or has a stamp. Return it from Unwrap", ErrInternal, user)
	}
	u.known.Store(t, err)
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
