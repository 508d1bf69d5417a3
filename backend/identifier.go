package backend

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/cause"
)

// The longest identifiers that a store must keep, in bytes. The keys that are made of them fit the indexes of every
// engine: PostgreSQL takes about 2,700 bytes a key, and InnoDB takes 3,072.
const (
	MaxUserID = 512 // of a user: see [auth.User]
	MaxID     = 255 // of anything else that is looked up, such as a session. Those of [NewID] have 36
)

// The longest parts of an [auth.AuthInfo] that a store must keep.
const (
	maxACR     = 1024 // bytes
	maxMethods = 32
	maxMethod  = 255 // bytes
)

// ValidText reports whether every store keeps text as it is: UTF-8 of at most max bytes, without NUL. PostgreSQL
// refuses other text with an error, which would be answered as an outage.
func ValidText(text string, max int) bool {
	return len(text) <= max && strings.IndexByte(text, 0) < 0 && utf8.ValidString(text)
}

// ValidID reports whether a record of a store can have this identifier: [ValidText] of 1 to MaxID bytes. What is
// looked up by another one, such as a part of a path, is not there. So treat it as unknown, and do not ask the store.
func ValidID(id string) bool { return id != "" && ValidText(id, MaxID) }

// ValidUserID reports whether records of a user with this identifier can be in a store: [ValidText] of 1 to
// MaxUserID bytes. A user with another one has no records.
func ValidUserID(id string) bool { return id != "" && ValidText(id, MaxUserID) }

// CheckUserID returns an error if no record of a user with this identifier can be in a store. Call it before you
// issue. Identifiers of users are the application's, so the error is auth.ErrInternal.
func CheckUserID(id string) error {
	if ValidUserID(id) {
		return nil
	}
	return fmt.Errorf("%w: the UserID %s is not 1 to %d bytes of UTF-8 without NUL, so no store can keep what is "+
		"issued to the user", auth.ErrInternal, cause.Quote(id), MaxUserID)
}

// CheckAuthInfo returns an error if a store cannot keep what a credential says of its login: an ACR of at most 1,024
// bytes, and at most 32 methods of 255 bytes, all [ValidText]. Call it before you issue. These texts come from the
// backend of the login, so the error is auth.ErrInternal.
func CheckAuthInfo(info auth.AuthInfo) error {
	if !ValidText(info.ACR, maxACR) {
		return fmt.Errorf("%w: the AuthInfo has the ACR %s, which is not UTF-8 without NUL, or longer than %d bytes",
			auth.ErrInternal, cause.Quote(info.ACR), maxACR)
	}
	if len(info.AMR) > maxMethods {
		return fmt.Errorf("%w: the AuthInfo has an AMR of %d methods, and a store keeps %d", auth.ErrInternal,
			len(info.AMR), maxMethods)
	}
	for _, method := range info.AMR {
		if !ValidText(method, maxMethod) {
			return fmt.Errorf("%w: the AuthInfo has the AMR %s, which is not UTF-8 without NUL, or longer than %d "+
				"bytes", auth.ErrInternal, cause.Quote(method), maxMethod)
		}
	}
	return nil
}
