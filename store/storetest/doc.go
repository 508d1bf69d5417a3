// Package storetest checks that a store keeps its contract. The author of a
// store calls the function of each interface it implements:
//
//	func TestKnox(t *testing.T) {
//		storetest.Knox(t, func(t *testing.T) knox.Store { return mystore.New(t.TempDir()) })
//	}
//
// The aspects "texts" give a store every text that backends do. A store keeps it as it is, and compares it byte by
// byte. Identifiers of users have at most 512 bytes, of records 64, of sessions of others and keys of PutOnce 255, of
// clients and issuers 1,024 and of subjects 512. Digests have at most 64. All are UTF-8 without NUL, because backends
// keep other texts from the store.
//
// Each call of open returns a store that is empty or, if data outlives it, is
// used by no other test. Instants are arguments: nothing here waits. Run it
// with -race.
//
// A store that several programs use at once is checked as two of them, too:
//
//	storetest.Knox(t, func(t *testing.T) knox.Store { return storetest.KnoxPair(first, second) })
package storetest
