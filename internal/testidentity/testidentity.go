// Package testidentity is how authtest puts a user into a request, and how guards find that user
// there. It is internal, so that code outside this module cannot make a request that a guard
// believes.
package testidentity

import "context"

// GuardKey is the context key by which a guard asks for its identity. Only package auth has a key
// with this method: other modules cannot name the type of its parameter.
type GuardKey interface{ AsksForIdentity(Internal) }

// Internal is the type that other modules cannot name.
type Internal struct{}

// Context is a context with an identity for every guard.
type Context struct {
	context.Context
	User       any // auth.User
	Credential any // auth.Credential or nil
}

// Value returns c itself if a guard asks for an identity.
func (c *Context) Value(key any) any {
	if _, ok := key.(GuardKey); ok {
		return c
	}
	return c.Context.Value(key)
}
