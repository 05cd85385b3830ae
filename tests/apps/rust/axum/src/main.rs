mod routes;

use std::net::{Ipv4Addr, SocketAddr};

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt::init();

    let port = std::env::var("PORT").ok().and_then(|text| text.parse().ok()).unwrap_or(3000);
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    tracing::info!("listening on {}", listener.local_addr().unwrap());
    axum::serve(listener, routes::app()).await.unwrap();
}
