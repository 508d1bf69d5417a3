package auth_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestUnitPurgeEverySaysThatItFallsBehind(t *testing.T) {
	const second = time.Second
	line := func(records, took string) string {
		return `level=WARN msg="auth: a purge takes longer than the time between two, and goes on" ` +
			`purger=slow records=` + records + ` took=` + took
	}
	for name, row := range map[string]struct {
		interval time.Duration
		batches  int
		lines    []string
	}{
		"not in a turn that is shorter than the interval": {time.Minute, 14, nil},
		"once an interval while a turn takes longer": {time.Minute, 32,
			[]string{line("300", "1m0s"), line("600", "2m0s")}},
		"once a minute at most": {second, 32,
			[]string{line("300", "1m0s"), line("600", "2m0s")}},
		"after the interval, if that is longer": {100 * second, 32, []string{line("500", "1m40s")}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &logged{}
				// A batch takes a second, and the pause after it three more.
				s := &shelf{name: "slow", records: 20 * row.batches, takes: second}
				stop := running(t, row.interval, log.logger(slog.LevelInfo), s)
				time.Sleep(time.Duration(row.batches) * 4 * second)
				stop()
				log.want(t, row.lines...)
			})
		})
	}
}
