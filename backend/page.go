package backend

import (
	"errors"
	"iter"
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/gatewarden/auth"
)

const (
	defaultPage = 100   // rows
	maxPage     = 1_000 // for callers in Go
	maxHTTPPage = 100   // for clients
)

// Page is a part of a list: lists have no bound, so no caller gets one whole. The
// zero value is the first 100 rows. Lists start with the newest row. A list
// returns the cursor of the next page beside the rows, and [AllRows] follows them:
//
//	tokens, next, err := all.List(ctx, userID, backend.Page{})
//	more, next, err := all.List(ctx, userID, backend.Page{After: next})
//
// The cursor is a place in the list and not a row: it stays good after its row is
// gone. Rows that are added meanwhile are on the first page.
type Page struct {
	// After is the cursor that the call for the page before returned as next. Empty
	// is the start of the list.
	After string
	// Limit is the most rows of the page, 1 to 1,000; 0 is 100. A page may have fewer
	// rows although there is a next one.
	Limit int
}

// What is wrong with a page, for the log.
var (
	errPageLimit   = errors.New("Page.Limit is not within 1 and 1,000")
	errPageAfter   = errors.New("Page.After is not a cursor that a list returned: those are version 7 UUIDs")
	errLimitQuery  = errors.New("the query parameter limit is not a number from 1 to 100, or is repeated")
	errCursorQuery = errors.New("the query parameter cursor is not one that a list returned, or is repeated")
)

// Checked returns the page with its Limit filled in. It is auth.ErrMalformed if Limit is
// out of range, or if After is no identifier of [NewID], which is what cursors are.
func (p Page) Checked() (Page, error) {
	if p.After != "" && !isCursor(p.After) {
		return Page{}, malformedFor("The cursor is not one that this list returned.", errPageAfter)
	}
	return p.CheckedLimit()
}

// CheckedLimit is Checked for a list with other cursors than identifiers of [NewID]. The
// caller checks After.
func (p Page) CheckedLimit() (Page, error) {
	if p.Limit < 0 || p.Limit > maxPage {
		return Page{}, malformedFor("The limit is out of range.", errPageLimit)
	}
	if p.Limit == 0 {
		p.Limit = defaultPage
	}
	return p, nil
}

// isCursor reports a version 7 UUID as NewID writes it.
func isCursor(text string) bool {
	id, err := uuid.Parse(text)
	return err == nil && id.Version() == 7 && id.String() == text
}

// ParsePage returns the page that a request asks for: the query parameter "cursor" is what
// [SetNextLink] wrote, "limit" is 1 to 100 rows, and both may be left out. A parameter that
// is repeated or cannot be meant is auth.ErrMalformed.
func ParsePage(r *http.Request) (Page, error) {
	query := r.URL.Query()
	cursors, limits := query["cursor"], query["limit"]
	page := Page{Limit: defaultPage}
	if len(cursors) > 1 || len(cursors) == 1 && !isCursor(cursors[0]) {
		return Page{}, malformedFor("cursor is not one that this list returned.", errCursorQuery)
	}
	if len(cursors) == 1 {
		page.After = cursors[0]
	}
	if len(limits) == 0 {
		return page, nil
	}
	n, err := strconv.ParseUint(limits[0], 10, 16)
	if err != nil || len(limits) > 1 || n < 1 || n > maxHTTPPage {
		return Page{}, malformedFor("limit must be a number from 1 to 100.", errLimitQuery)
	}
	page.Limit = int(n)
	return page, nil
}

// SetNextLink tells a client where the next page of a list is (RFC 8288 §3), if next is not
// empty:
//
//	Link: <?cursor=…>; rel="next"
//
// The address is relative to that of the request, so it is right behind a proxy that
// changes the path. Other parameters of the query stay.
func SetNextLink(h http.Header, r *http.Request, next string) {
	if next == "" {
		return
	}
	query := r.URL.Query()
	query.Set("cursor", next)
	h.Add("Link", "<?"+query.Encode()+`>; rel="next"`)
}

// maxReads is how often ReadPage asks a store for one page.
const maxReads = 10

// ReadPage reads a page, which must be checked, by a function that returns at most limit
// rows after a cursor in the order of the list. It skips rows that are not good. next is
// the cursor of the page after it, or "" after the last one. If a store has very many rows
// that are not good, the page has fewer than Limit, or no rows, and a next one.
func ReadPage[R any](p Page, read func(after string, limit int) ([]R, error), id func(R) string,
	good func(R) bool) (rows []R, next string, err error) {
	after := p.After
	for range maxReads {
		some, err := read(after, p.Limit+1)
		if err != nil {
			return nil, "", err
		}
		for _, row := range some {
			if good(row) && len(rows) == p.Limit {
				return rows, after, nil
			}
			if after = id(row); good(row) {
				rows = append(rows, row)
			}
		}
		if len(some) <= p.Limit {
			return rows, "", nil
		}
	}
	return rows, after, nil
}

// AllRows reads a list from its start to its end, 1,000 rows at a time. An error ends it.
//
//	for token, err := range backend.AllRows(func(p backend.Page) ([]*knox.Token, string, error) {
//		return tokens.List(ctx, userID, p)
//	}) {
func AllRows[R any](list func(Page) (rows []R, next string, err error)) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		for page := (Page{Limit: maxPage}); ; {
			rows, next, err := list(page)
			if err != nil {
				var none R
				yield(none, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			page.After = next
		}
	}
}

// PutCurrentFirst puts the row that proved a request on top of the first page, however old
// it is, and leaves it out of all others. So the first page has one row more than its
// Limit if that row is further down the list. isCurrent reports that row.
func PutCurrentFirst[R any](p Page, rows []R, current R, isCurrent func(R) bool) []R {
	if i := slices.IndexFunc(rows, isCurrent); i >= 0 {
		current = rows[i] // as the store has it now
		rows = slices.Delete(rows, i, i+1)
	}
	if p.After != "" {
		return rows
	}
	return slices.Insert(rows, 0, current)
}

func malformedFor(detail string, cause error) error {
	return &auth.Error{Kind: auth.ErrMalformed, Detail: detail, Cause: cause}
}
