// Command import prints the links that would be there after a start.
package main

import (
	"fmt"

	"example.com/links/internal/store"
)

func main() {
	for _, link := range store.New().All() {
		fmt.Println(link.Name, link.URL)
	}
}
