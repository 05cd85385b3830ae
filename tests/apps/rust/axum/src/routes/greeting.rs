use askama::Template;
use axum::http::StatusCode;
use axum::response::Html;

#[derive(Template)]
#[template(path = "greeting.html")]
struct Greeting<'a> {
    name: &'a str,
}

pub async fn show() -> Result<Html<String>, StatusCode> {
    Greeting { name: "World" }.render().map(Html).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
