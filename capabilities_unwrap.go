package auth

// As returns the first value of type T among v and what v wraps. It is how this
// module looks for a capability, such as [Scoped] or [HeaderStripper], and for a
// concrete type, such as *knox.Token, so that both survive a decorator:
//
//	scoped, ok := auth.As[auth.Scoped](credential)
//
// A decorator says what it wraps by one of these methods, as errors do for
// [errors.As] and response writers for [net/http.ResponseController]:
//
//	Unwrap() auth.Authenticator
//	Unwrap() auth.Credential
//	Unwrap() auth.User
//
// What is further out comes first: a decorator that has a capability of its own
// replaces the one it wraps. As does not allocate.
func As[T any](v any) (found T, ok bool) {
	for range maxWrapped {
		if found, ok = v.(T); ok {
			return found, true
		}
		if v = unwrapped(v); v == nil {
			break
		}
	}
	return found, false
}

// unwrapped returns what v wraps, or nil.
func unwrapped(v any) any {
	switch wrapper := v.(type) {
	case interface{ Unwrap() Authenticator }:
		return wrapper.Unwrap()
	case interface{ Unwrap() Credential }:
		return wrapper.Unwrap()
	case interface{ Unwrap() User }:
		return wrapper.Unwrap()
	}
	return nil
}

// maxWrapped is how many values As looks at, so that one that unwraps to itself
// ends.
const maxWrapped = 100

// Wrap returns a backend that authenticates by calling authenticate and has the
// capabilities of inner: its challenges, its name, the headers it strips. It is
// the way to put a function around a backend:
//
//	counted := auth.Wrap(tokens, func(r *http.Request) (auth.User, auth.Credential, error) {
//		requests.Add(1)
//		return tokens.Authenticate(r)
//	})
//
// An [AuthenticatorFunc] that calls tokens.Authenticate has no capability of it, and
// [New] cannot see that it should. New refuses a nil inner or function.
func Wrap(inner Authenticator, authenticate AuthenticatorFunc) Authenticator {
	return &wrapped{authenticate, inner}
}

type wrapped struct {
	AuthenticatorFunc
	inner Authenticator
}

// Unwrap returns the backend that has the capabilities.
func (w *wrapped) Unwrap() Authenticator { return w.inner }
