// Package web is the HTTP side of the links.
package web

import (
	"embed"
	"html/template"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"example.com/links/internal/store"
)

//go:embed static
var static embed.FS

//go:embed templates/*.html
var pages embed.FS

var templates = template.Must(template.ParseFS(pages, "templates/*.html"))

// New returns the handler of all requests.
func New(links *store.Store) http.Handler {
	router := chi.NewRouter()
	router.Use(middleware.RequestID, middleware.Logger, middleware.Recoverer, middleware.Timeout(30*time.Second))
	router.Get("/", func(w http.ResponseWriter, _ *http.Request) {
		if err := templates.ExecuteTemplate(w, "index.html", links.All()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	router.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	router.Handle("/static/*", http.FileServerFS(static))
	router.Get("/{name}", func(w http.ResponseWriter, r *http.Request) {
		if link, ok := links.Get(chi.URLParam(r, "name")); ok {
			http.Redirect(w, r, link.URL, http.StatusFound)
			return
		}
		http.NotFound(w, r)
	})
	return router
}
