package jwt

// kind is what a token is for.
type kind int

const (
	otherKind kind = iota
	accessKind
	refreshKind
	slidingKind
)

// kinds are the names of kinds, as TypeClaim and as "typ".
var kinds = [...]struct{ claim, header string }{
	accessKind:  {"access", "at+jwt"}, // RFC 9068 §2.1
	refreshKind: {"refresh", "refresh+jwt"},
	slidingKind: {"sliding", "sliding+jwt"},
}

// kindOf tells what a token of ours is for.
func (f Format) kindOf(h *joseHeader, all []member) kind {
	if f.TypeClaim == "" {
		for k, names := range kinds {
			if names.header != "" && names.header == h.kind {
				return kind(k)
			}
		}
		return otherKind
	}
	said, _ := unquote(lookup(all, f.TypeClaim))
	for k, names := range kinds {
		if names.claim != "" && names.claim == said {
			return kind(k)
		}
	}
	return otherKind
}

// wanted are the kinds that are accepted somewhere.
type wanted []kind

var (
	wantAccess          = wanted{accessKind}
	wantAccessOrSliding = wanted{accessKind, slidingKind}
	wantRefresh         = wanted{refreshKind}
	wantSliding         = wanted{slidingKind}
	wantRefreshable     = wanted{refreshKind, slidingKind} // what a session is kept alive by
	wantAny             = wanted{accessKind, refreshKind, slidingKind}
)

// names are the kinds as tokens of a format name them.
func (w wanted) names(f Format) []string {
	var names []string
	for _, k := range w {
		if f.TypeClaim != "" {
			names = append(names, kinds[k].claim)
		} else {
			names = append(names, kinds[k].header)
		}
	}
	return names
}
