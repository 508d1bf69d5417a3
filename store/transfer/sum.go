package transfer

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"reflect"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// writtenOf returns what the journal keeps of a record. Records that [Difference] calls the same have the same sum.
func writtenOf(record Record) Written {
	w := Written{Key: record.Key(), Until: expiryOf(record)}
	switch r := record.(type) {
	case *JWTLogin:
		w.Sum = sumOf(r.Session)
		for _, token := range r.Tokens {
			w.Parts = append(w.Parts, Part{sumOf(token), token.ExpiresAt.Add(jwt.KeepExpired)})
		}
	case *OAuthGrant:
		w.Sum = sumOf(r.Grant)
		for _, code := range r.Codes {
			w.Parts = append(w.Parts, Part{Sum: sumOf(code)})
		}
		for _, token := range r.Access {
			w.Parts = append(w.Parts, Part{sumOf(token), token.ExpiresAt})
		}
		for _, token := range r.Refresh {
			w.Parts = append(w.Parts, Part{sumOf(token), token.ExpiresAt})
		}
	default:
		w.Sum = sumOf(record)
	}
	return w
}

// expiryOf returns the instant from which Keep drops a record, and zero if it never does.
func expiryOf(record Record) time.Time {
	switch r := record.(type) {
	case KnoxToken:
		return r.ExpiresAt
	case Session:
		return r.ExpiresAt
	case *JWTLogin:
		return loginUselessFrom(r)
	case *OAuthGrant:
		if ended := r.RevokedAt.Add(server.KeepEnded); !r.RevokedAt.IsZero() && ended.Before(r.ExpiresAt) {
			return ended
		}
		return r.ExpiresAt
	case OAuthPage:
		return r.ExpiresAt
	case *Once:
		return r.ExpiresAt
	case Reservation:
		return r.ExpiresAt
	case LoginCode:
		return r.ExpiresAt
	case OneTimeToken:
		return r.ExpiresAt
	case *ThrottleCount:
		return r.ExpiresAt
	}
	return time.Time{}
}

func loginUselessFrom(r *JWTLogin) time.Time {
	last, adopted := r.ExpiresAt, r.RevokedAt.Add(jwt.KeepEnded)
	for _, token := range r.Tokens {
		end := token.ExpiresAt.Add(jwt.KeepExpired)
		last = latest(last, end)
		if token.Adopted {
			adopted = latest(adopted, end)
		}
	}
	if !r.RevokedAt.IsZero() && adopted.Before(last) {
		return adopted
	}
	return last
}

// sumOf returns a hash of the exported fields of a value.
func sumOf(value any) string {
	digest := sha256.New()
	addValue(digest, reflect.ValueOf(value))
	return base64.RawStdEncoding.EncodeToString(digest.Sum(nil)[:16])
}

// addValue goes by the rules of Difference: it follows pointers, and an empty list is the same as a nil one.
func addValue(to hash.Hash, v reflect.Value) {
	if v.Type() == timeType {
		addTime(to, v.Interface().(time.Time))
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		addNumber(to, boolNumber(!v.IsNil()))
		if !v.IsNil() {
			addValue(to, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				addValue(to, v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			addText(to, string(v.Bytes()))
			return
		}
		addNumber(to, int64(v.Len()))
		for i := range v.Len() {
			addValue(to, v.Index(i))
		}
	case reflect.Map:
		addMap(to, v)
	case reflect.String:
		addText(to, v.String())
	case reflect.Bool:
		addNumber(to, boolNumber(v.Bool()))
	default:
		addText(to, fmt.Sprint(v.Interface()))
	}
}

// addMap adds a map as JSON, which sorts the keys. The maps of records come from JSON.
func addMap(to hash.Hash, v reflect.Value) {
	if v.Len() == 0 {
		addText(to, "")
		return
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		text = fmt.Append(nil, v.Interface())
	}
	addText(to, string(text))
}

func addTime(to hash.Hash, at time.Time) {
	addNumber(to, boolNumber(at.IsZero()))
	if !at.IsZero() {
		addNumber(to, at.UnixMicro())
	}
}

func addText(to hash.Hash, text string) {
	addNumber(to, int64(len(text)))
	to.Write([]byte(text))
}

func addNumber(to hash.Hash, n int64) { _ = binary.Write(to, binary.BigEndian, n) }

func boolNumber(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
