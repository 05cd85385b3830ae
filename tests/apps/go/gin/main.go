package main

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

type album struct {
	ID     string  `json:"id" binding:"required"`
	Title  string  `json:"title" binding:"required"`
	Artist string  `json:"artist"`
	Price  float64 `json:"price"`
}

var albums = []album{
	{ID: "1", Title: "Blue Train", Artist: "John Coltrane", Price: 56.99},
	{ID: "2", Title: "Jeru", Artist: "Gerry Mulligan", Price: 17.99},
}

func main() {
	router := gin.Default()
	router.LoadHTMLGlob("templates/*")
	router.GET("/", func(c *gin.Context) {
		c.HTML(http.StatusOK, "index.tmpl", gin.H{"title": "Albums", "albums": albums})
	})
	router.GET("/ping", func(c *gin.Context) {
		c.JSON(http.StatusOK, gin.H{"message": "pong"})
	})
	router.GET("/albums", func(c *gin.Context) {
		c.IndentedJSON(http.StatusOK, albums)
	})
	router.GET("/albums/:id", byID)
	router.POST("/albums", add)
	router.Run()
}

func byID(c *gin.Context) {
	for _, one := range albums {
		if one.ID == c.Param("id") {
			c.IndentedJSON(http.StatusOK, one)
			return
		}
	}
	c.IndentedJSON(http.StatusNotFound, gin.H{"message": "album not found"})
}

func add(c *gin.Context) {
	var one album
	if err := c.ShouldBindJSON(&one); err != nil {
		c.JSON(http.StatusBadRequest, gin.H{"error": err.Error()})
		return
	}
	albums = append(albums, one)
	c.IndentedJSON(http.StatusCreated, one)
}
