// Package storetest checks that a store keeps its contract. The author of a
// store calls the function of each interface it implements:
//
//	func TestKnox(t *testing.T) {
//		storetest.Knox(t, func(t *testing.T) knox.Store { return mystore.New(t.TempDir()) })
//	}
//
// Each call of open returns a store that is empty or, if data outlives it, is
// used by no other test. Instants are arguments: nothing here waits. Run it
// with -race.
//
// A store that several programs use at once is checked as two of them, too:
//
//	storetest.Knox(t, func(t *testing.T) knox.Store { return storetest.KnoxPair(first, second) })
package storetest
