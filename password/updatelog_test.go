package password_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestUnitAStrangerCannotFillTheLogWithResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		reset := d.reset("")
		for range 1000 {
			if w := serve(reset, post(typeJSON, resetBody("garbage", newOne))); w.Code != 400 {
				t.Fatalf("got %v, want 400", w.Code)
			}
		}
		if got := strings.Count(d.logged.String(), "\n"); got != 100 {
			t.Errorf("%d lines, want 100", got)
		}
		if got := len(d.log.take()); got != 1000 {
			t.Errorf("the observer was told of %d, want 1000", got)
		}
		d.logged.Reset()
		time.Sleep(time.Second)
		serve(reset, post(typeJSON, resetBody("garbage", newOne)))
		if got := d.logged.String(); !strings.Contains(got, "left_out=900") {
			t.Errorf("the next line: %s", got)
		}
	})
}
