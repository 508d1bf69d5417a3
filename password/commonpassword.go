package password

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

var errCommon = reason("password_too_common", "This password is too common.")

// NotCommon refuses what is guessed first, with Django's code
// "password_too_common": some hundreds of the most common passwords and words,
// and whatever is made of at most three of these, without regard to case and to
// letters written as digits:
//
//   - one such word: "p4ssw0rd", and three are as bad: "ilovemymonkey"
//   - a sequence or a walk on the keyboard: "abcdefgh", "98765432", "1qaz2wsx"
//   - up to four digits, such as a year, two signs, or one other character
//
// not counting spaces, dots, hyphens and underscores. It also refuses passwords of no more
// than three different characters, or that repeat fewer than eight. It knows no
// breaches: add [NotInList] with a list of those you have, or a Validator that
// asks a service.
func NotCommon() Validator {
	words := make(map[string]bool)
	for word := range strings.FieldsSeq(commonWords) {
		words[word] = true
	}
	return func(_ context.Context, password string, _ []Attribute) error {
		if guessable(strings.ToLower(strings.TrimSpace(password)), words) {
			return errCommon
		}
		return nil
	}
}

// NotInList refuses the passwords that r lists, one a line, with Django's code
// "password_too_common". Case and surrounding space do not matter. It reads r to
// its end and keeps the list in memory. Django's own list is compressed: give it
// the reader of compress/gzip. Errors are those of r, a line longer than 64 KiB,
// text that is not UTF-8, and an empty list, which would be of no use.
func NotInList(r io.Reader) (Validator, error) {
	list := make(map[string]struct{})
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if !utf8.ValidString(line) {
			return nil, errors.New("password: the list of common passwords is not UTF-8")
		}
		if line = listKey(line); line != "" {
			list[line] = struct{}{}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("password: the list of common passwords: %w", err)
	}
	if len(list) == 0 {
		return nil, errors.New("password: the list of common passwords is empty")
	}
	return func(_ context.Context, password string, _ []Attribute) error {
		if _, ok := list[listKey(password)]; ok {
			return errCommon
		}
		return nil
	}, nil
}

// listKey returns the form in which a password is in the list: lower case, without space around it.
func listKey(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

const (
	maxPieces   = 3  // of a password that is guessable
	minRepeated = 8  // bytes that may be repeated
	minRun      = 3  // characters of a sequence
	maxWord     = 32 // bytes of a word
)

// keyboard is what fingers and alphabets run along, in either direction.
var keyboard = [...]string{
	"abcdefghijklmnopqrstuvwxyz", "01234567890",
	"`1234567890-=", "~!@#$%^&*()_+", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", // US
	"qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn", // German and French
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0",
	"!qaz@wsx#edc$rfv%tgb^yhn&ujm*ik<(ol>)p:?", "qazwsxedcrfvtgbyhnujmikolp",
}

// guessable reports whether a password, in lower case, is made of at most three
// pieces that are guessed first, of which words are some. The work grows with
// the length of the password, but not faster.
func guessable(password string, words map[string]bool) bool {
	if distinct, _ := histogram(password); len(distinct) <= 3 {
		return true
	}
	if unit := repeated(password); len(unit) < len(password) {
		return len(unit) < minRepeated || guessable(unit, words)
	}
	password = separators.Replace(password)
	// The spellings that a word may be found in.
	spellings := [...]string{password, plainI.Replace(password), plainL.Replace(password)}
	reached := map[int]bool{0: true}
	for range maxPieces {
		next := make(map[int]bool)
		for start := range reached {
			for _, end := range pieces(spellings[:], start, words) {
				next[end] = true
			}
		}
		if next[len(password)] {
			return true
		}
		reached = next
	}
	return password == ""
}

// The separators that do not count, and the digits and signs that are written for letters.
var (
	separators = strings.NewReplacer(" ", "", ".", "", "-", "", "_", "")

	plainI = strings.NewReplacer("@", "a", "4", "a", "3", "e", "1", "i", "!", "i", "0", "o",
		"$", "s", "5", "s", "7", "t", "+", "t")
	plainL = strings.NewReplacer("@", "a", "4", "a", "3", "e", "1", "l", "|", "l", "0", "o",
		"$", "s", "5", "s", "7", "t", "+", "t")
)

// pieces returns the ends of the pieces that begin at start, in whichever spelling.
func pieces(spellings []string, start int, words map[string]bool) (ends []int) {
	password := spellings[0]
	if start == len(password) {
		return nil
	}
	for _, text := range spellings {
		for end := start + 1; end <= min(start+maxWord, len(text)); end++ {
			if words[text[start:end]] {
				ends = append(ends, end)
			}
		}
	}
	if end := start + run(password[start:]); end-start >= minRun {
		ends = append(ends, end)
	}
	_, size := utf8.DecodeRuneInString(password[start:])
	ends = append(ends, start+size)
	most := map[int]int{digit: 4, other: 2}[kind(password[start])]
	last := min(start+most, len(password))
	for end := start + 2; end <= last && kind(password[end-1]) == kind(password[start]); end++ {
		ends = append(ends, end)
	}
	return ends
}

const (
	letter = iota // or part of a character that is not ASCII
	digit
	other
)

func kind(c byte) int {
	switch {
	case 'a' <= c && c <= 'z' || c >= utf8.RuneSelf:
		return letter
	case '0' <= c && c <= '9':
		return digit
	}
	return other
}

// run returns the length of the longest repetition of one character or walk on
// the keyboard that text starts with.
func run(text string) int {
	longest := 1
	for longest < len(text) && text[longest] == text[0] {
		longest++
	}
	for _, row := range keyboard {
		for start := range len(row) {
			longest = max(longest, walk(text, row, start, 1), walk(text, row, start, -1))
		}
	}
	return longest
}

// walk returns how many characters of text go along a row of the keyboard from start, in steps of
// 1 or -1.
func walk(text, row string, start, step int) int {
	n := 0
	for i := start; n < len(text) && i >= 0 && i < len(row) && row[i] == text[n]; i += step {
		n++
	}
	return n
}

// repeated returns what text repeats, whole or cut off at the end, or text if
// that is not repeated: the borders of Knuth, Morris and Pratt.
func repeated(text string) string {
	border := make([]int, len(text)+1)
	border[0] = -1
	for i, k := 0, -1; i < len(text); {
		for k >= 0 && text[i] != text[k] {
			k = border[k]
		}
		i, k = i+1, k+1
		border[i] = k
	}
	unit := len(text) - border[len(text)]
	if 2*unit > len(text) {
		return text // less than twice
	}
	return text[:unit]
}
