package main

import (
	"net/http"

	"github.com/gatewarden/auth/jwt"
)

// line is one row of the table.
type line struct {
	name    string
	against string // what it is compared with
	build   func(w *world) (comparison, error)
	stamped bool // the users have a stamp
	aim     aim
}

// aim is the most that a line should cost. 0 is no aim, and a negative number of allocations is 0.
type aim struct {
	ratio  float64
	nanos  float64
	allocs float64
}

// none as aim.allocs is no allocation.
const none = -1

const (
	floorToken  = "floor"
	floorCookie = "floor of a cookie"
	floorSQLite = "floor in SQLite"
	oneKnoxName = "one knox"
	golangJWT   = "golang-jwt"
	accepted    = "accepted request"
)

// both returns a line with plain users and the same line with stamped users.
func both(name, against string, build func(w *world) (comparison, error), a aim) []line {
	return []line{{name, against, build, false, a}, {name + ", stamped user", against, build, true, a}}
}

// refused returns a line of refusals with their whole answer.
func refused(name string, build func(w *world) (comparison, error)) []line {
	return []line{{name, accepted, build, false, aim{ratio: 1, nanos: 600, allocs: none}}}
}

// lines are all rows of the table, in order.
func lines() []line {
	var all []line
	add := func(more []line) { all = append(all, more...) }
	add(both("knox", floorToken, knoxMemory, aim{ratio: 1.5, allocs: 2}))
	add(both("session", floorCookie, sessionMemory, aim{ratio: 1.6, allocs: 2}))
	add(both("OAuth, opaque", floorToken, oauthOpaque, aim{ratio: 1.7, allocs: 2}))
	add(both("introspection, remembered", floorToken, introspected, aim{ratio: 1.8, allocs: 2}))
	for _, algorithm := range []jwt.Algorithm{jwt.HS256, jwt.RS256, jwt.ES256, jwt.EdDSA} {
		add(both("JWT cached, "+string(algorithm), floorToken, jwtCached(algorithm), aim{ratio: 1.5, allocs: 2}))
	}
	add(both("JWT cached, own issuer, ES256", floorToken, jwtOwn, aim{}))
	add(both("chain of five kinds, the last matches", oneKnoxName, chainOfKinds, aim{ratio: 1.3}))
	add(both("chain of five knox, the last matches", oneKnoxName, chainOfKnox, aim{ratio: 1.3}))
	add(both("JWT cold, HS256", golangJWT, jwtCold(jwt.HS256), aim{ratio: 0.5}))
	for _, algorithm := range []jwt.Algorithm{jwt.RS256, jwt.ES256, jwt.EdDSA} {
		add([]line{{"JWT cold, " + string(algorithm), golangJWT, jwtCold(algorithm), false, aim{}}})
	}
	add(refusals())
	add(both("knox in SQLite", floorSQLite, knoxSQLite(false), aim{ratio: 2}))
	add(both("knox in SQLite, first use", floorSQLite, knoxSQLite(true), aim{}))
	add(both("session in SQLite", floorSQLite, sessionSQLite(false), aim{ratio: 2}))
	add(both("session in SQLite, first use in a while", floorSQLite, sessionSQLite(true), aim{}))
	return all
}

func refusals() []line {
	const bad, malformed = http.StatusUnauthorized, http.StatusBadRequest
	huge := func(name string, build func(w *world) (comparison, error)) line {
		return line{name, accepted, build, false, aim{ratio: 1, nanos: 500, allocs: none}}
	}
	many := func(scheme, value string, n int) []string { return repeated(scheme+" "+value, n) }
	all := refused("garbage token refused, knox", refusedKnox(many("Token", garbage, 64), bad))
	all = append(all, refused("garbage token refused, JWT", refusedJWT(many("Bearer", garbage, 64), bad))...)
	all = append(all, refused("garbage token refused, OAuth", refusedOAuth(many("Bearer", garbage, 64), bad))...)
	all = append(all, refused("unknown token of the right shape refused, knox", unknownKnox)...)
	return append(all,
		line{"forged JWT refused, ES256", "good one, cold", jwtForged, false, aim{ratio: 1}},
		huge("header of 1 MiB refused, knox", refusedKnox([]string{"Token " + mebibyte}, malformed)),
		huge("header of 1 MiB of dots refused, JWT", refusedJWT([]string{"Bearer " + dots}, malformed)),
		huge("header of 1 MiB refused, OAuth", refusedOAuth([]string{"Bearer " + mebibyte}, malformed)),
	)
}
