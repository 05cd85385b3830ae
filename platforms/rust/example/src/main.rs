use tiny_http::{Response, Server};

fn main() {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".into());
    let server = Server::http(format!("0.0.0.0:{port}")).expect("the port is free");
    for request in server.incoming_requests() {
        // Whoever asked may be gone by now; the next one is not.
        let _ = request.respond(Response::from_string("Hello from Nucleo\n"));
    }
}
