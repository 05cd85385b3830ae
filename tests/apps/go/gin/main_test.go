package main

import "testing"

func TestAlbumsHaveIDs(t *testing.T) {
	for _, one := range albums {
		if one.ID == "" {
			t.Errorf("%q has no id", one.Title)
		}
	}
}
