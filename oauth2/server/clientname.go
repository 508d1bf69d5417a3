package server

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/gatewarden/auth/backend"
)

// maxClientName is the longest name of a client, in bytes. What is longer is cut.
const maxClientName = 200

// checkName refuses a name that people would not see as it is: users decide by it whether they
// trust a client. A client without a name is shown by its identifier.
func (s *Server) checkName(r Registration, c *Client) error {
	name := shownName(r.ClientName)
	if hidden, ok := hiddenRune(name); ok {
		return metadataError("The client_name has a character that is not visible.",
			failedValue("the client_name has a character that is not visible (UTS 39)", fmt.Sprintf("U+%04X", hidden)))
	}
	if r.ClientName == "" {
		name = c.ID
	}
	if !strings.ContainsFunc(name, isVisible) {
		return metadataError("The client_name has no visible character.",
			failedCheck("the client_name, or the client_id in its place, has no visible character"))
	}
	return nil
}

// shownName returns a client_name as pages show it.
func shownName(name string) string { return backend.CleanText(strings.TrimSpace(name), maxClientName) }

// isVisible reports a character that leaves a mark on the screen by itself.
func isVisible(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) && !isHidden(r)
}

// blanks are symbols and letters that show nothing: a Braille pattern without dots, two blanks of Egyptian hieroglyphs,
// the null note head of music, and the place of an object.
const blanks = "\u2800\U00013441\U00013442\U0001d159\ufffc"

// isHidden reports a character that shows nothing, or changes how others are shown: those that are ignored by
// default (UTS 39 §3.1, Unicode property Default_Ignorable_Code_Point), separators of lines, and blanks.
func isHidden(r rune) bool {
	return strings.ContainsRune(blanks, r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
	emojiStyle         = '\ufe0f'
)

// hiddenRune returns the first hidden character of a name. Those that a script or an emoji needs do not count.
func hiddenRune(name string) (rune, bool) {
	all := []rune(" " + name + " ")
	for i, r := range all {
		if isHidden(r) && !isNeeded(all[i-1], r, all[i+1]) {
			return r, true
		}
	}
	return 0, false
}

// isNeeded reports a hidden character that shows in what is before it: the joiners between letters
// of cursive and Indic scripts (UAX 31 §2.3.1) and between emoji, and the selector of their style.
func isNeeded(before, r, after rune) bool {
	isSymbol := func(r rune) bool { return unicode.In(r, unicode.So, unicode.Sk) && !isHidden(r) }
	switch r {
	case zeroWidthNonJoiner:
		return unicode.In(before, joined...) && unicode.In(after, joined...)
	case zeroWidthJoiner:
		return unicode.In(before, joined...) && unicode.In(after, joined...) ||
			(isSymbol(before) || before == emojiStyle) && isSymbol(after)
	case emojiStyle:
		return isSymbol(before)
	}
	return false
}

// joined are the scripts in which a joiner changes what is seen.
var joined = []*unicode.RangeTable{unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Devanagari,
	unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu,
	unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer}
