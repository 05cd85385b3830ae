const express = require("express");

const app = express();
app.get("/", (request, response) => response.send("first"));
app.listen(process.env.PORT || 8080, "0.0.0.0");
