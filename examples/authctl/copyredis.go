package main

import (
	"context"
	"errors"
)

func openPlaceRedis(context.Context, *call, bool) (place, error) {
	return place{}, errors.New("Redis cannot be copied yet")
}
