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

// check refuses a user that holds another one and has no method Unwrap: it could
// hide that the inner one is a [Machine], or has a stamp ([Stamper]).
func (u *userTypes) check(user User) error {
	t := reflect.TypeOf(user)
	if found, ok := u.known.Load(t); ok {
		err, _ := found.(error)
		return err
	}
	err := checkUserType(user, t)
	u.known.Store(t, err)
	return err
}

func checkUserType(user User, t reflect.Type) error {
	if _, unwraps := user.(interface{ Unwrap() User }); unwraps {
		return nil
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		if field := t.Field(i); field.Type.Kind() == reflect.Interface && field.Type.Implements(userType) {
			return fmt.Errorf("%w: a user of type %T holds a User in %s and has no method Unwrap() auth.User, "+
				"so it could hide that the inner one is a Machine or has a stamp. Return it from Unwrap",
				ErrInternal, user, field.Name)
		}
	}
	return nil
}
