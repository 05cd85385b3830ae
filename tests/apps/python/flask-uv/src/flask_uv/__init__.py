from importlib.metadata import version

from flask import Flask

app = Flask(__name__)


@app.route("/")
def hello_world():
    return f"<p>Hello, World! This is flask-uv {version('flask-uv')}.</p>"


def main() -> None:
    app.run(debug=True)
