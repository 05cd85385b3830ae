mod greeting;
mod users;

use axum::Router;
use axum::routing::{get, post};
use tower_http::services::ServeDir;
use tower_http::trace::TraceLayer;

pub fn app() -> Router {
    Router::new()
        .route("/", get(greeting::show))
        .route("/users", post(users::create))
        .nest_service("/static", ServeDir::new("static"))
        .layer(TraceLayer::new_for_http())
}
