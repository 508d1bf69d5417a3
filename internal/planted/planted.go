// Package planted lets authtest, and no code outside this module, put an
// identity into a request that guards believe.
package planted

import "context"

// Key is the context key by which a guard asks for an identity. Only a guard's
// key has this method with a type that others cannot name.
type Key interface{ AsksForIdentity(Seal) }

// Seal keeps other modules from writing a Key.
type Seal struct{}

// Context carries a planted identity to every guard.
type Context struct {
	context.Context
	User       any // auth.User
	Credential any // auth.Credential or nil
}

// Value answers the key of any guard with the planted identity.
func (c *Context) Value(key any) any {
	if _, ok := key.(Key); ok {
		return c
	}
	return c.Context.Value(key)
}
