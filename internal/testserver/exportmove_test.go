package testserver

// TryFinish is Finish that may fail.
func (m *Move) TryFinish() error { return m.finish() }
