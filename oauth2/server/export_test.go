package server

// What tests need of the inside.

var (
	MatchRedirect = matchRedirect
	HalfHash      = halfHash
	InPlainCase   = inPlainCase
)
