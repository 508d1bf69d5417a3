package wrapped

import "fmt"

func lost(err error) error { return fmt.Errorf("wrapped: %v", err) } // want `non-wrapping format verb`

func kept(err error) error { return fmt.Errorf("wrapped: %w", err) }

func compared(err error) bool { return err == errOwn }

var errOwn = fmt.Errorf("wrapped: ours")
