// Package store keeps links in memory.
package store

import (
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// Link is a name for a URL.
type Link struct {
	ID   uuid.UUID
	Name string
	URL  string
}

// Store is safe for concurrent use.
type Store struct {
	mutex sync.RWMutex
	links map[string]Link
}

// New returns a store with the first links.
func New() *Store {
	store := &Store{links: map[string]Link{}}
	store.Put("go", "https://go.dev/")
	store.Put("packages", "https://pkg.go.dev/")
	return store
}

// Put adds or replaces a link.
func (s *Store) Put(name, url string) Link {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	link := Link{ID: uuid.New(), Name: name, URL: url}
	s.links[name] = link
	return link
}

// Get returns the link of a name.
func (s *Store) Get(name string) (Link, bool) {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	link, ok := s.links[name]
	return link, ok
}

// All returns every link, by name.
func (s *Store) All() []Link {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	all := make([]Link, 0, len(s.links))
	for _, link := range s.links {
		all = append(all, link)
	}
	slices.SortFunc(all, func(a, b Link) int { return strings.Compare(a.Name, b.Name) })
	return all
}
