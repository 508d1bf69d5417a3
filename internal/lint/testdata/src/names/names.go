package names

type user struct{}

func (u user) first() {}

func (s user) second() {}

func (u user) third() {}

func userId() {} // want `func userId should be userID`
