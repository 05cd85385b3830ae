import { createServer } from "node:http";

const server = createServer((request, response) => {
  response.setHeader("content-type", "text/plain; charset=utf-8");
  response.end("Hello from Nucleo\n");
});

server.listen(Number(process.env.PORT ?? 8080), "0.0.0.0");
