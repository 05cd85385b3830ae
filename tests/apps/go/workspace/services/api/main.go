package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/shop/libs/greet"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, greet.Line(r.RemoteAddr))
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
