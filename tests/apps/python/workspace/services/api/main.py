from fastapi import FastAPI
from greeting import text

app = FastAPI()


@app.get("/")
def index():
    return text()
