package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "Hello from Nucleo")
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
