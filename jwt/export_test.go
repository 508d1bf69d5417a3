package jwt

import (
	"context"
	"reflect"
	"time"
)

// What tests need of the inside.

// Member is a member of a JSON object.
type Member struct{ Name, Value string }

// Members reads a JSON object.
func Members(text string) ([]Member, error) {
	all, err := members(text, nil)
	var exported []Member
	for _, m := range all {
		exported = append(exported, Member{m.name, m.value})
	}
	return exported, err
}

var (
	ErrDuplicate = errDuplicate
	SecondsOf    = secondsOf
	StringsOf    = stringsOf
	Unquote      = unquote
	SubjectOf    = subjectOf
	DecodePart   = decode
)

const MaxDepth = maxDepth
const MaxMembers = maxMembers

// Cached returns how many tokens a Verifier remembers, and whether this is one.
func Cached(v *Verifier, token string, now time.Time) (n int, found bool) {
	if v.cache == nil {
		return 0, false
	}
	_, found = v.cache.Get(v.cache.Key(token), now)
	return v.cache.Len(), found
}

// KnownHeaders returns how many headers a Verifier remembers.
func KnownHeaders(v *Verifier) int { return len(v.headers.known) }

// Strings calls found with every string that can be reached from root, and with
// every array and slice of bytes as one.
func Strings(root any, found func(string)) {
	seen := make(map[any]bool)
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			found(v.String())
		case reflect.Pointer:
			if v.IsNil() || seen[v.Pointer()] {
				return
			}
			seen[v.Pointer()] = true
			walk(v.Elem())
		case reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Map:
			for each := v.MapRange(); each.Next(); {
				walk(each.Key())
				walk(each.Value())
			}
		case reflect.Array, reflect.Slice:
			if v.Type().Elem().Kind() == reflect.Uint8 {
				text := make([]byte, v.Len())
				for i := range text {
					text[i] = byte(v.Index(i).Uint())
				}
				found(string(text))
				return
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(root))
}

// VerifyBare is what a Verifier does with a token of an issuer that has these
// keys, but that its payload need not be claims.
func VerifyBare(keys *KeySet, token string) (payload string, err error) {
	i, err := newIssuer(Issuer{Keys: keys, User: SubjectUser, Checks: TokenChecks{
		Types: []string{"", "JWT"}, AllowNoIssuer: true, AllowNoAudience: true, AllowNoExpiry: true}})
	if err != nil {
		return "", err
	}
	u, fault := new(headers).splitToken(token)
	if fault != nil {
		return "", fault.inHeader()
	}
	_, _, err = i.prove(context.Background(), u, nil, wantAccess, time.Now())
	return u.payload, inHeader(err)
}

// SignText signs any text.
func SignText(key *Key, text string) ([]byte, error) { return key.sign(text) }

// Material returns what a key verifies with.
func Material(key *Key) any {
	if key.public() != nil {
		return key.public()
	}
	return key.secret()
}

// BeforeKeyIsMade lets a keyring call do before it makes a key.
func BeforeKeyIsMade(k *Keyring, do func()) {
	k.makeKey = func(algorithm Algorithm, bits int) (*Key, error) {
		do()
		return generateKey(algorithm, bits)
	}
}
